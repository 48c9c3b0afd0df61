"""Databricks through the API: three sign-in methods, what is kept secret, and what a wrong setting is answered with."""

import json

import pytest

from storages.backends.databricks import DatabricksImportStorage
from storages.errors import BadCredentials, ConfigInvalid
from tests.backends.databricks_volume import CLIENT, ROOT, ROUTE, SECRET, client_of, entra_sign_ins, keys, sign_ins
from tests.backends.databricks_volume import azure as azure  # noqa: F401 - the fixture
from tests.backends.databricks_volume import body as body  # noqa: F401 - the fixture
from tests.backends.databricks_volume import entra as entra  # noqa: F401 - the fixture
from tests.backends.databricks_volume import fake as fake  # noqa: F401 - the fixture

pytestmark = pytest.mark.django_db
METHODS = ["pat", "dbx_sp", "azure_ad_sp"]
NEEDED = {"pat": ["token"], "dbx_sp": ["client_id", "client_secret"], "azure_ad_sp": ["tenant_id", "client_id", "client_secret"]}
HALVES = [(method, field) for method, fields in NEEDED.items() for field in fields]


def refused(answer, field: str) -> str:
    """The message that a 400 gives for ``field``."""
    assert answer.status_code == 400, answer.content
    return answer.json()["validation_errors"][field][0]


@pytest.mark.parametrize("method", METHODS)
def test_every_sign_in_method_reads_and_writes(azure, method):
    client = client_of(azure, method)
    for document in (b'{"a": 1}', b"{}"):
        client.write("a/b.json", document)
    assert keys(client) == ["a/b.json"] and azure.get(f"{ROOT}/a/b.json") == b"{}"
    with client.open("a/b.json") as stream:
        assert stream.read() == b"{}"


@pytest.mark.parametrize("direction", ["", "export/"])
@pytest.mark.parametrize("method", METHODS)
def test_every_sign_in_method_creates_validates_and_patches_without_telling_a_secret(api, azure, body, method, direction):
    route = f"/api/storages/{direction}databricks"
    azure.put(f"{ROOT}/a.txt", b"x")
    sent = body(azure, method)
    validated = api.post(f"{route}/validate", sent)
    assert (validated.status_code, validated.content) == (200, b"")
    created = api.post(route, sent)
    assert created.status_code == 201, created.content
    pk = created.json()["id"]
    answers = [created, api.get(f"{route}/{pk}"), api.get(route, {"project": sent["project"]})]
    answers.append(api.patch(f"{route}/{pk}", {"title": "renamed"}))
    answers.append(
        api.post(f"{route}/validate", {k: v for k, v in sent.items() if k not in ("token", "client_secret")} | {"id": pk})
    )
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200, 200]
    for secret in (azure.pat, SECRET, '"token"', '"client_secret"'):
        assert not any(secret in answer.content.decode() for answer in answers)


@pytest.mark.parametrize("route", [ROUTE, f"{ROUTE}/validate", "/api/storages/export/databricks"])
@pytest.mark.parametrize(("method", "field"), HALVES)
def test_a_missing_half_of_a_credential_names_the_field(api, azure, body, route, method, field):
    for missing in ("", "  "):
        message = refused(api.post(route, body(azure, method) | {field: missing}), field)
        assert "must be set" in message and method in message
    assert azure.requests == []


@pytest.mark.parametrize("field", ["token", "client_id", "client_secret", "host", "verify_tls", "request_timeout_s", "volume"])
def test_null_is_no_value(api, fake, body, field):
    refused(api.post(ROUTE, body(fake) | {field: None}), field)


def test_an_unknown_sign_in_method_is_refused(api, fake, body):
    refused(api.post(ROUTE, body(fake) | {"auth_type": "password"}), "auth_type")
    with pytest.raises(ConfigInvalid) as error:
        DatabricksImportStorage(
            host="https://a.example", auth_type="x", catalog="c", schema="s", volume="v", project_id=1
        ).client()
    assert error.value.field == "auth_type"


def test_a_title_can_be_changed_without_the_secret_and_a_host_cannot(api, body, fake):
    pk = api.post(ROUTE, body(fake)).json()["id"]
    fake.put(f"{ROOT}/x", b"x")
    assert api.patch(f"{ROUTE}/{pk}", {"title": "Pier 9"}).json()["title"] == "Pier 9"
    assert DatabricksImportStorage.objects.get(pk=pk).token == fake.pat
    elsewhere = {"host": "https://evil.example"}
    assert "credentials" in refused(api.patch(f"{ROUTE}/{pk}", elsewhere), "host")
    assert "credentials" in refused(api.post(f"{ROUTE}/validate", body(fake) | elsewhere | {"id": pk, "token": ""}), "host")
    assert "credentials" in refused(api.patch(f"{ROUTE}/{pk}", {"verify_tls": False}), "verify_tls")
    assert api.patch(f"{ROUTE}/{pk}", {"verify_tls": False, "token": fake.pat}).status_code == 200


def test_the_limits_have_documented_defaults(api, fake, body):
    created = api.post(ROUTE, body(fake)).json()
    limits = (created["request_timeout_s"], created["stream_chunk_bytes"], created["verify_tls"], created["auth_type"])
    assert limits == (30, 1024**2, True, "pat")
    told = {name: DatabricksImportStorage._meta.get_field(name).help_text for name in ("request_timeout_s", "stream_chunk_bytes")}
    assert "30" in told["request_timeout_s"] and "1048576" in told["stream_chunk_bytes"]


@pytest.mark.parametrize(
    ("method", "wrong", "field"),
    [
        ("pat", {"token": "dapi-not-the-secret"}, None),
        ("dbx_sp", {"client_secret": "not-the-secret"}, "client_secret"),
        ("dbx_sp", {"client_id": "stranger"}, "client_secret"),
        ("azure_ad_sp", {"client_secret": "not-the-secret"}, "client_secret"),
        ("azure_ad_sp", {"client_id": "stranger"}, "client_id"),
    ],
)
def test_wrong_credentials_are_bad_credentials_even_beside_right_ones(api, azure, body, method, wrong, field):
    assert keys(client_of(azure, method)) == []  # a good token is in the cache now
    before = sign_ins(azure)
    answer = api.post(f"{ROUTE}/validate", body(azure, method) | wrong)
    refused(answer, field or "non_field_errors")
    assert answer.json()["connection"] == {"code": "bad_credentials", "verb": "list", "field": field, "grant": None}
    assert "not-the-secret" not in json.dumps(answer.json()["validation_errors"]) and SECRET not in answer.content.decode()
    assert sign_ins(azure) - before <= 1, "a refused secret is not tried again"


def test_a_scope_that_the_secret_does_not_have_is_a_wrong_setting(fake, settings):
    fake.add_principal("narrow", "s", scopes=["files"])
    fake.grant("narrow", "main", "ALL PRIVILEGES")
    narrow = {"client_id": "narrow", "client_secret": "s"}
    with pytest.raises(ConfigInvalid, match="DATABRICKS_OAUTH_SCOPE") as error:
        keys(client_of(fake, "dbx_sp", **narrow))
    assert error.value.field == "client_secret"
    settings.DATABRICKS_OAUTH_SCOPE = "files"
    assert keys(client_of(fake, "dbx_sp", **narrow)) == []
    settings.DATABRICKS_OAUTH_SCOPE = "sql"
    fake.add_principal("narrow", "s", scopes=["sql"])
    with pytest.raises(ConfigInvalid, match="scope") as error:
        keys(client_of(fake, "dbx_sp", **narrow))
    assert error.value.field == "client_secret"


def test_an_unknown_tenant_names_the_tenant(api, azure, body):
    answer = api.post(f"{ROUTE}/validate", body(azure, "azure_ad_sp") | {"tenant_id": "elsewhere.example"})
    assert "tenant" in refused(answer, "tenant_id")
    assert answer.json()["connection"]["code"] == "misconfigured"


def test_a_busy_entra_is_throttling(api, azure, entra, body):
    entra.fail_next(9, status=429, match="token")
    answer = api.post(f"{ROUTE}/validate", body(azure, "azure_ad_sp"))
    assert answer.json()["connection"]["code"] == "throttled"
    assert entra_sign_ins(entra) == 1, "a check tries once"


@pytest.mark.parametrize(
    ("host", "authority"),
    [
        ("https://adb-1.2.azuredatabricks.net", "login.microsoftonline.com"),
        ("https://adb-1.2.databricks.azure.us", "login.microsoftonline.us"),
        ("https://ADB-1.2.Databricks.Azure.CN:443/", "login.chinacloudapi.cn"),
        ("https://databricks.azure.us.example", "login.microsoftonline.com"),
    ],
)
def test_the_cloud_of_the_workspace_decides_which_entra_is_asked(fake, host, authority):
    chosen = client_of(fake, "azure_ad_sp", host=host, tenant_id="t")._identity.authority
    assert chosen == f"https://{authority}/t"


def test_a_secret_that_no_header_can_carry_is_refused(fake):
    with pytest.raises(ConfigInvalid) as error:
        client_of(fake, token="dapi\r\nHost: evil")
    assert error.value.field == "token"
    with pytest.raises(BadCredentials):
        keys(client_of(fake, "dbx_sp", client_id=f"{CLIENT}:x"))
