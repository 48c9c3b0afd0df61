"""Both kinds of Azure storage through the API, and beside each other."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from storages.backends import azure, azure_spi
from storages.media.resolve import Source, choose
from tests.backends.boxes.azure import CLIENT_ID, SECRET, AzureHarness, AzureSPIHarness

OTHER_CLIENT = "99999999-1111-4222-8333-444455556666"


@pytest.fixture
def keyed() -> Iterator[AzureHarness]:
    with closing(AzureHarness()) as box:
        yield box


@pytest.fixture
def account() -> Iterator[AzureSPIHarness]:
    with closing(AzureSPIHarness()) as box:
        box.put("a.png", b"0123456789")
        yield box


@pytest.fixture
def key_body(keyed, project) -> dict:
    return keyed.settings() | {"project": project.pk, "title": "Harbour"}


@pytest.fixture
def token_body(account, project) -> dict:
    return account.settings() | {"project": project.pk, "title": "Harbour"}


def test_both_kinds_of_azure_storage_share_a_scheme_and_the_tasks_own_storage_wins(account):
    place = {"project_id": 1, "container": account.container, "account_name": account.fake.account}
    storages = [
        azure_spi.AzureSPIImportStorage(pk=1, **account.settings(), project_id=1),
        azure_spi.AzureSPIImportStorage(pk=2, **account.settings("a/"), project_id=1),
        azure.AzureImportStorage(pk=3, account_key=account.fake.key, **place),
    ]
    sources = [Source(storage, storage.client()) for storage in storages]
    uri = f"azure-blob://{account.container}/a/b.png"
    assert [choose(uri, sources, own)[0].storage.pk for own in (None, 1, 3)] == [2, 1, 3]
    assert choose(f"azure-blob://{account.container}/c.png", sources)[0].storage.pk == 1
    assert choose("azure-blob://another/a/b.png", sources) is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("route", ["azure", "export/azure"])
def test_account_name_and_key_go_in_and_never_come_out(api, keyed, key_body, route):
    created = api.post(f"/api/storages/{route}", key_body)
    assert created.status_code == 201, created.content
    url = f"/api/storages/{route}/{created.json()['id']}"
    for answer in (
        created,
        api.get(url),
        api.patch(url, {"title": "New"}),
        api.get(f"/api/storages/{route}/?project={key_body['project']}"),
    ):
        assert answer.status_code in (200, 201) and keyed.fake.key not in answer.content.decode()
        assert "account_" not in answer.content.decode() and keyed.fake.account not in answer.content.decode()
    assert created.json()["container"] == keyed.container and created.json()["type"] == "azure"
    assert api.post(f"/api/storages/{route}/validate", key_body).content == b""
    assert api.delete(url).status_code == 204


@pytest.mark.django_db(transaction=True)
def test_another_account_needs_the_key_again_and_another_container_does_not(api, keyed, key_body):
    other = keyed.fake.create_container()
    url = f"/api/storages/azure/{api.post('/api/storages/azure/', key_body).json()['id']}"
    asked = len(keyed.fake.requests)
    refused = api.patch(url, {"account_name": "attacker"})
    assert refused.status_code == 400 and list(refused.json()["validation_errors"]) == ["account_name"]
    assert len(keyed.fake.requests) == asked
    assert api.patch(url, {"container": other, "title": "New"}).status_code == 200
    assert api.patch(url, {"account_name": keyed.fake.account}).status_code == 200
    assert api.patch(url, {"account_name": keyed.fake.account, "account_key": keyed.fake.key}).status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("change", "field"),
    [({"account_key": ""}, "account_key"), ({"account_name": "evil.com/"}, "account_name"), ({"account_key": "x y"}, "account_key"),
     ({"container": "A"}, "container"), ({"presign_ttl": 32768}, "presign_ttl"), ({"account_key": "d3Jvbmc="}, "non_field_errors")],
)  # fmt: skip
def test_bad_input_is_a_400_that_names_the_field(api, key_body, change, field):
    answer = api.post("/api/storages/azure/", key_body | change)
    assert answer.status_code == 400 and list(answer.json()["validation_errors"]) == [field]


@pytest.mark.django_db(transaction=True)
def test_null_recursion_counts_as_false(api, key_body):
    created = api.post("/api/storages/azure/", key_body | {"recursive_scan": None})
    assert created.status_code == 201 and created.json()["recursive_scan"] is False


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("route", ["azure_spi", "export/azure_spi"])
def test_the_secret_never_comes_out_and_a_delegation_key_never_goes_in(api, account, token_body, route):
    sent = token_body | {"user_delegation_key": "of-the-user", "auth_mode": None, "recursive_scan": None}
    created = api.post(f"/api/storages/{route}", sent)
    assert created.status_code == 201, created.content
    url = f"/api/storages/{route}/{created.json()['id']}"
    for answer in (created, api.get(url), api.patch(url, {"title": "New", "user_delegation_key": "x"})):
        shown = answer.json()
        assert answer.status_code in (200, 201) and not {"client_secret", "user_delegation_key"} & set(shown)
        assert SECRET not in answer.content.decode()
        assert (shown["account_name"], shown["client_id"], shown["auth_mode"]) == (account.fake.account, CLIENT_ID, None)
    model = azure_spi.AzureSPIExportStorage if "export" in route else azure_spi.AzureSPIImportStorage
    stored = model.objects.get(pk=created.json()["id"])
    assert (stored.client_secret, stored.user_delegation_key) == (SECRET, None)
    assert api.post(f"/api/storages/{route}/validate", token_body).content == b""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("name", "value"), [("account_name", "attacker"), ("tenant_id", "attacker.example"), ("client_id", OTHER_CLIENT)]
)
def test_the_secret_is_asked_for_again_when_it_would_be_sent_elsewhere(api, account, token_body, name, value):
    url = f"/api/storages/azure_spi/{api.post('/api/storages/azure_spi/', token_body).json()['id']}"
    asked = len(account.fake.requests), len(account.entra.requests)
    refused = api.patch(url, {name: value})
    assert refused.status_code == 400 and list(refused.json()["validation_errors"]) == [name]
    assert (len(account.fake.requests), len(account.entra.requests)) == asked
    assert api.patch(url, {"container": account.fake.create_container()}).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_storage_changes_to_workload_identity_only_by_giving_its_secret_up(api, account, token_body, monkeypatch, tmp_path):
    for name, value in account.federate(tmp_path / "federated").items():
        monkeypatch.setenv(name, value)
    url = f"/api/storages/azure_spi/{api.post('/api/storages/azure_spi/', token_body).json()['id']}"
    refused = api.patch(url, {"auth_mode": "workload_identity"})
    assert refused.status_code == 400 and list(refused.json()["validation_errors"]) == ["client_secret"]
    assert api.patch(url, {"auth_mode": "workload_identity", "client_secret": None}).status_code == 200
    unknown = api.patch(url, {"auth_mode": "magic"})
    assert unknown.status_code == 400 and list(unknown.json()["validation_errors"]) == ["auth_mode"]
