"""User delegation keys: how long one is used, what its signed URLs open, and what is told and logged."""

import logging
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from storages.doctor import examine, prescribe
from storages.errors import AccessDenied, BadCredentials, StorageError, TimedOut
from storages.providers import tokens
from storages.providers.azure import delegation as azure_delegation
from tests.backends.boxes.azure import SECRET, AzureSPIHarness
from tests.fakes.azure_clients import code_of, fetch

OTHER_CLIENT = "99999999-1111-4222-8333-444455556666"


@pytest.fixture
def account() -> Iterator[AzureSPIHarness]:
    with closing(AzureSPIHarness()) as box:
        box.put("a.png", b"0123456789")
        yield box


def failure(box: AzureSPIHarness, *verbs: str, **settings: object) -> StorageError:
    return examine(lambda: box.client(**settings), verbs or {"list"}).error


def signed_in(box: AzureSPIHarness) -> list[str]:
    """The scope of each token that was asked for."""
    return [request.scope for request in box.entra.requests if request.method == "POST"]


def delegated(box: AzureSPIHarness) -> int:
    """How often a user delegation key was asked for."""
    return sum("comp=userdelegationkey" in request.query for request in box.fake.requests)


def test_one_delegation_key_signs_the_urls_of_many_clients(account):
    urls = [account.client().presign(name, 60) for name in ("a.png", "b.png", "a.png")]
    assert delegated(account) == 1 and len(signed_in(account)) == 1
    answer = fetch("GET", urls[0], {"Range": "bytes=2-4"})
    assert (answer.status, answer.data, answer.headers["content-type"]) == (206, b"234", "image/png")
    query = parse_qs(urlsplit(urls[0]).query)
    begins, ends = (datetime.fromisoformat(query[name][0]) for name in ("skt", "ske"))
    assert (ends - begins).total_seconds() == 6 * 3600 + 15 * 60
    assert (query["sp"], query["spr"]) == (["r"], ["https"])


def test_the_key_of_one_secret_or_account_signs_for_no_other(account):
    account.entra.clients[OTHER_CLIENT] = "another secret"
    account.client().presign("a.png", 60)
    account.client(client_id=OTHER_CLIENT, client_secret="another secret").presign("a.png", 60)
    assert delegated(account) == 2
    with pytest.raises(BadCredentials):
        account.client(client_secret="wrong").presign("a.png", 60)


def test_a_key_that_would_end_before_the_url_is_replaced_and_no_url_outlives_its_key(account, monkeypatch):
    monkeypatch.setattr(tokens, "FRESH", 0)
    monkeypatch.setattr(azure_delegation, "LIFE", 30)
    account.client().presign("a.png", 10)
    monkeypatch.setattr(azure_delegation, "LIFE", 6 * 3600)
    query = parse_qs(urlsplit(account.client().presign("a.png", 7 * 86_400)).query)
    assert delegated(account) == 2
    assert query["se"] < query["ske"]


def test_a_signed_url_opens_no_other_blob_and_nothing_after_its_end_or_without_the_role(account):
    account.put("b.png", b"secret")
    url = account.client().presign("a.png", 60)
    assert code_of(fetch("GET", url.replace("a.png", "b.png"))) == (403, "AuthenticationFailed")
    assert fetch("GET", re.sub(r"se=\d{4}", "se=2099", url)).status == 403
    assert fetch("DELETE", url).status == 403
    account.fake.deny("read")
    assert fetch("GET", url).status == 403
    account.fake.deny()
    assert fetch("GET", url).status == 200
    account.fake.advance(65)
    assert fetch("GET", url).status == 403


def test_a_principal_that_may_not_sign_is_told_the_role_and_the_way_without(account):
    account.fake.deny("delegate")
    error = failure(account, "list", "read", "sign")
    assert isinstance(error, AccessDenied) and error.verb == "sign"
    assert error.grant.startswith("Storage Blob Delegator (") and "generateUserDelegationKey/action" in error.grant
    assert error.grant in str(error) and "pre-signed URLs off" in str(error)
    assert failure(account, "list", "read") is None


def test_a_token_that_expired_before_the_delegation_key_is_replaced(account, monkeypatch):
    monkeypatch.setattr(tokens, "FRESH", 0)
    client = account.client()
    client.stat("a.png")
    account.entra.advance(4000)
    assert fetch("GET", client.presign("a.png", 60)).status == 200
    assert (delegated(account), len(signed_in(account))) == (2, 2)  # refused once, then with a new token


def test_the_least_roles_are_named_for_what_the_storage_does(account):
    reading, writing = ({"list", "read", "sign"}, {"list", "write"})
    policies = [
        prescribe(examine(account.client, verbs), verbs, "https://label.example")["policy"] for verbs in (reading, writing)
    ]
    assert [[entry["role"].removeprefix("Storage Blob ") for entry in policy] for policy in policies] == [
        ["Data Reader", "Delegator"],
        ["Data Contributor"],
    ]
    assert policies[0][0]["scope"].endswith(f"{account.fake.account}/blobServices/default/containers/{account.container}")


def test_neither_secret_nor_token_nor_signature_is_logged(account, caplog):
    caplog.set_level(logging.DEBUG)
    report = examine(account.client, {"list", "read", "sign", "write", "delete"})
    prescribe(report, {"list", "sign"}, "https://label.example")
    assert report.error is None and "urllib3.connectionpool" in caplog.text
    for secret in (SECRET, "Bearer ey", "eyJ", "sig="):
        assert secret not in caplog.text
    assert SECRET not in repr(report) + repr(vars(report.client)["_principal"])


def test_an_entra_that_does_not_answer_is_no_matter_of_the_account(account):
    account.entra.refuse_all()
    error = failure(account)
    assert error.code == "unreachable" and not isinstance(error, TimedOut) and error.field is None
