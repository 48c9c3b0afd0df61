"""Azure with a service principal or workload identity: whose token is sent where, and what refusals say."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from storages.backends import azure_spi
from storages.doctor import examine
from storages.errors import AccessDenied, BadCredentials, ConfigInvalid, StorageError
from storages.providers import tokens
from tests.backends.boxes.azure import CLIENT_ID, AzureSPIHarness
from tests.fakes.entra import STORAGE

OTHER_CLIENT = "99999999-1111-4222-8333-444455556666"
NO_SECRET = {"auth_mode": "workload_identity", "client_secret": None, "tenant_id": None}


@pytest.fixture
def account() -> Iterator[AzureSPIHarness]:
    with closing(AzureSPIHarness()) as box:
        box.put("a.png", b"0123456789")
        yield box


@pytest.fixture
def workload(account, monkeypatch, tmp_path) -> Path:
    """The platform gives the server an identity; the file with its federated token."""
    file = tmp_path / "federated"
    for name, value in account.federate(file).items():
        monkeypatch.setenv(name, value)
    return file


def failure(box: AzureSPIHarness, *verbs: str, **settings: object) -> StorageError:
    return examine(lambda: box.client(**settings), verbs or {"list"}).error


def signed_in(box: AzureSPIHarness) -> list[str]:
    """The scope of each token that was asked for."""
    return [request.scope for request in box.entra.requests if request.method == "POST"]


def test_one_token_of_the_storage_scope_serves_many_clients_and_requests(account):
    for _ in range(3):
        client = account.client()
        assert [client.stat("a.png").size for _ in range(3)] == [10] * 3
    assert signed_in(account) == [f"{STORAGE}/.default"]


@pytest.mark.parametrize(
    ("change", "kind", "field"),
    [({"client_secret": "hush"}, BadCredentials, "client_secret"), ({"client_id": OTHER_CLIENT}, BadCredentials, "client_id"),
     ({"tenant_id": "00000000-0000-4000-8000-000000000000"}, ConfigInvalid, "tenant_id"),
     ({"tenant_id": "a/b"}, ConfigInvalid, "tenant_id"), ({"tenant_id": ""}, ConfigInvalid, "tenant_id"),
     ({"client_id": None}, ConfigInvalid, "client_id"), ({"client_secret": " "}, ConfigInvalid, "client_secret"),
     ({"client_secret": "a\nb"}, ConfigInvalid, "client_secret"), ({"account_name": None}, ConfigInvalid, "account_name"),
     ({"account_name": "evil.com/"}, ConfigInvalid, "account_name"), ({"container": "A"}, ConfigInvalid, "container")],
)  # fmt: skip
def test_a_wrong_setting_is_named(account, change, kind, field):
    error = failure(account, **change)
    assert type(error) is kind and error.field == field and "hush" not in str(error)
    assert account.fake.requests == []


def test_a_token_of_one_secret_is_never_lent_to_another(account):
    assert account.client().stat("a.png").size == 10
    with pytest.raises(BadCredentials):
        account.client(client_secret="wrong").stat("a.png")


def test_a_token_is_sent_over_https_only(account, settings):
    settings.AZURE_BLOB_ENDPOINT_TEMPLATE = "http://127.0.0.1:1/{account}"
    error = failure(account)
    assert isinstance(error, ConfigInvalid) and "https" in str(error) and signed_in(account) == []


def test_a_token_that_expires_in_the_middle_of_a_listing_is_replaced_once(account, monkeypatch):
    monkeypatch.setattr(tokens, "FRESH", 0)  # this test does not wait for its token to age
    for number in range(11):
        account.put(f"p/{number:02}", b"x")
    pages = account.client("p/").list(recursive=True)
    seen = [item.key for item in next(pages).objects]
    account.entra.advance(4000)
    seen += [item.key for page in pages for item in page.objects]
    assert seen == [f"p/{number:02}" for number in range(11)]
    assert len(signed_in(account)) == 2
    assert [request.status for request in account.fake.requests] == [200, 401, 200, 200]


def test_a_token_for_another_resource_is_bad_credentials(account, monkeypatch):
    monkeypatch.setattr(azure_spi, "SCOPE", "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default")
    assert isinstance(failure(account), BadCredentials)


@pytest.mark.parametrize("verb", ["list", "read", "write", "delete"])
def test_a_missing_role_is_named_with_its_verb(account, verb):
    account.fake.deny(verb)
    error = failure(account, "list", "read", "write", "delete")
    role = "Storage Blob Data Reader" if verb in ("list", "read") else "Storage Blob Data Contributor"
    assert isinstance(error, AccessDenied) and error.verb == verb
    assert error.grant == f"{role} on the container {account.container}" and error.grant in str(error)
    assert account.fake.names(account.container) == ["a.png"]


def test_the_servers_workload_identity_signs_in_with_its_federated_token(account, workload):
    for settings in (NO_SECRET | {"client_id": None}, NO_SECRET):
        assert failure(account, "list", "read", "sign", **settings) is None
    assert signed_in(account) == [f"{STORAGE}/.default"]


def test_a_federated_token_is_read_anew_each_time(account, workload, monkeypatch):
    monkeypatch.setattr(tokens, "FRESH", 0)
    client = account.client(**NO_SECRET)
    assert client.stat("a.png").size == 10
    account.entra.assertions[CLIENT_ID] = "the next one"
    workload.write_text("the next one")
    account.entra.advance(4000)
    assert client.stat("a.png").size == 10


def test_another_federated_client_may_be_named_and_one_that_does_not_trust_the_server_is_refused(account, workload):
    error = failure(account, **NO_SECRET, client_id=OTHER_CLIENT)
    assert isinstance(error, BadCredentials)
    account.entra.assertions[OTHER_CLIENT] = "token-of-the-platform"
    assert failure(account, **NO_SECRET, client_id=OTHER_CLIENT) is None


def test_a_workload_identity_takes_no_secret(account, workload):
    error = failure(account, auth_mode="workload_identity")
    assert isinstance(error, ConfigInvalid) and error.field == "client_secret"


def test_the_workload_identity_is_lent_only_where_the_operator_allows_it(account, workload, settings):
    settings.ALLOW_AMBIENT_CREDENTIALS = False
    error = failure(account, **NO_SECRET)
    assert isinstance(error, BadCredentials) and error.field == "auth_mode" and account.entra.requests == []


@pytest.mark.parametrize("name", ["AZURE_FEDERATED_TOKEN_FILE", "AZURE_TENANT_ID", "AZURE_CLIENT_ID"])
def test_a_server_without_workload_identity_says_so(account, workload, monkeypatch, name):
    monkeypatch.delenv(name)
    error = failure(account, **NO_SECRET, client_id=None)
    assert isinstance(error, BadCredentials) and "no workload identity" in str(error)


def test_an_unreadable_federated_token_is_bad_credentials_without_its_path(account, workload):
    workload.unlink()
    error = failure(account, **NO_SECRET)
    assert isinstance(error, BadCredentials) and str(workload) not in str(error)
