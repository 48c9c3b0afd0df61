"""What a workspace may answer and what we make of it: classes, verbs, grants, and hosts that are none."""

import json

import pytest

from storages.doctor import examine
from storages.errors import (
    AccessDenied,
    BadCredentials,
    ConfigInvalid,
    EgressDenied,
    NotFound,
    StorageError,
    Throttled,
    Unavailable,
)
from tests.backends.databricks_volume import ROOT, ROUTE, SECRET, client_of, keys
from tests.backends.databricks_volume import body as body  # noqa: F401 - the fixture
from tests.backends.databricks_volume import fake as fake  # noqa: F401 - the fixture
from tests.fakes.databricks import DatabricksFake
from tests.fakes.wire import Response, Server

pytestmark = pytest.mark.django_db
EXPORT = "/api/storages/export/databricks"
READS, WRITES = "READ VOLUME on Volumes/main/default/data", "READ VOLUME and WRITE VOLUME on Volumes/main/default/data"
LISTS = f"USE CATALOG, USE SCHEMA and {READS}"


def reader(fake: DatabricksFake, *grants: tuple[str, ...], scopes: tuple[str, ...] = ("all-apis",)) -> dict[str, str]:
    """The token of a user with these grants and scopes."""
    fake.add_pat("dapi-reader", scopes=scopes)
    for securable, *privileges in grants:
        fake.grant("reader@quay.example", securable, *privileges)
    return {"token": "dapi-reader"}


LOOK = [("main", "USE CATALOG"), ("main.default", "USE SCHEMA")]
READ = [*LOOK, ("main.default.data", "READ VOLUME")]
CASES = {
    "wrong token": (lambda fake: {"token": "dapi-wrong"}, ROUTE, ("bad_credentials", "list", None, None)),
    "revoked tokens": (lambda fake: fake.revoke_tokens(), ROUTE, ("bad_credentials", "list", None, None)),
    "no catalog": (lambda fake: reader(fake), ROUTE, ("no_permission", "list", None, LISTS)),
    "no volume": (lambda fake: reader(fake, *LOOK), ROUTE, ("no_permission", "list", None, LISTS)),
    "no write": (lambda fake: reader(fake, *READ), EXPORT, ("no_permission", "write", None, WRITES)),
    "scope": (lambda fake: reader(fake, *READ, scopes=("sql",)), ROUTE, ("misconfigured", "list", "token", None)),
    "address": (lambda fake: setattr(fake, "block_address", True), ROUTE, ("unreachable", "list", None, None)),
    "login page": (lambda fake: setattr(fake, "redirect_to_login", True), ROUTE, ("misconfigured", "list", "host", None)),
    "volume": (lambda fake: {"volume": "missing"}, ROUTE, ("not_found", "list", None, None)),
    "prefix": (lambda fake: {"prefix": "missing"}, ROUTE, ("not_found", "list", None, None)),
    "down": (lambda fake: fake.refuse_all(), ROUTE, ("unreachable", "list", None, None)),
    "file as folder": (lambda fake: {"prefix": "a.txt"}, EXPORT, ("misconfigured", "write", None, None)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_refused_connection_names_class_verb_field_and_grant(api, fake, body, name):
    spoil, route, (code, verb, field, grant) = CASES[name]
    fake.put(f"{ROOT}/a.txt", b"x")
    answer = api.post(f"{route}/validate", body(fake, **(spoil(fake) or {})))
    assert answer.status_code == 400, answer.content
    assert answer.json()["connection"] == {"code": code, "verb": verb, "field": field, "grant": grant}
    assert list(answer.json()["validation_errors"]) == [field or "non_field_errors"]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "401", BadCredentials),
        (403, "PERMISSION_DENIED", AccessDenied),
        (403, "Invalid access token", BadCredentials),
        (403, "403", AccessDenied),
        (400, "FILES_API_INVALID_PATH", ConfigInvalid),
        (400, "FILES_API_AZURE_FORBIDDEN", AccessDenied),
        (400, "BAD_REQUEST", ConfigInvalid),
        (404, "NOT_FOUND", NotFound),
        (404, "ENDPOINT_NOT_FOUND", ConfigInvalid),
        (409, "ALREADY_EXISTS", ConfigInvalid),
        (429, "RESOURCE_EXHAUSTED", Throttled),
        (429, "REQUEST_LIMIT_EXCEEDED", Throttled),
        (503, "TEMPORARILY_UNAVAILABLE", Throttled),
        (500, "INTERNAL_ERROR", Unavailable),
        (502, "BAD_GATEWAY", Unavailable),
    ],
)
def test_every_answer_has_one_class(fake, status, code, kind):
    fake.fail_next(status=status, code=code, match="/fs/files")
    report = examine(lambda: client_of(fake), {"write"})
    error = report.probes[-1].error
    assert (type(error), error.verb, report.probes[-1].verb) == (kind, "write", "write")
    assert error.grant == (WRITES if kind is AccessDenied else "")
    assert "on demand of the test" not in str(error), "the provider's own words are not repeated"


@pytest.mark.parametrize("path", ["/oidc/v1/token", "/api/2.0"])
@pytest.mark.parametrize(
    ("fault", "kind", "field"),
    [
        ("block_address", Unavailable, None),
        ("redirect_to_login", ConfigInvalid, "host"),
        ((404, "ENDPOINT_NOT_FOUND"), ConfigInvalid, "host"),
        ((429, "RESOURCE_EXHAUSTED"), Throttled, None),
        ((503, "TEMPORARILY_UNAVAILABLE"), Throttled, None),
        ((500, "INTERNAL"), Unavailable, None),
    ],
)
def test_trouble_is_the_same_at_the_token_endpoint(fake, path, fault, kind, field):
    setattr(fake, fault, True) if isinstance(fault, str) else fake.fail_next(9, *fault, match=path)
    error = examine(lambda: client_of(fake, "dbx_sp"), {"list"}).error
    assert (type(error), error.field) == (kind, field)
    assert SECRET not in str(error) and "on demand" not in str(error)
    if isinstance(fault, str):
        assert {request.path for request in fake.requests} == {"/oidc/v1/token"}, "no redirect is followed"


@pytest.mark.parametrize("text", [b"<html>welcome</html>", b"{}", b'{"access_token": 5}', b"[]", b"[" * 100_000])
def test_a_host_that_answers_token_requests_with_something_else_is_no_workspace(fake, text):
    with Server(lambda request: Response(200, {"content-length": str(len(text))}, text)) as server:
        with pytest.raises(ConfigInvalid) as error:
            keys(client_of(fake, "dbx_sp", host=server.url))
    assert error.value.field == "host"


@pytest.mark.parametrize("text", [b"<h1>Not Found</h1>", b""])
def test_a_web_server_that_knows_no_such_page_is_no_workspace(fake, text):
    with Server(lambda request: Response(404, {"content-length": str(len(text))}, text)) as server:
        for method in ("pat", "dbx_sp"):
            error = examine(lambda: client_of(fake, method, host=server.url), {"list", "read"}).error  # noqa: B023
            assert (type(error), error.field) == (ConfigInvalid, "host")


@pytest.mark.parametrize(
    "host",
    [
        "http://workspace.example", "ftp://workspace.example", "workspace.example", "https://workspace.example/api",
        "https://workspace.example?o=1", "https://workspace.example/#x", "https://user:pw@workspace.example",
        "https://workspace.example:0", "https://workspace.example:x", "https://", "https://[::1", "",
    ],
)  # fmt: skip
def test_a_host_that_is_no_plain_https_address_is_refused(api, fake, body, host):
    answer = api.post(f"{ROUTE}/validate", body(fake, host=host))
    assert answer.status_code == 400 and list(answer.json()["validation_errors"]) == ["host"]


@pytest.mark.parametrize("method", ["pat", "dbx_sp"])
def test_a_host_on_a_reserved_address_is_refused_before_anything_is_sent(api, fake, body, settings, method):
    settings.SSRF_ALLOWED_NETWORKS = []
    answer = api.post(f"{ROUTE}/validate", body(fake, method, host=fake.url.replace("http:", "https:")))
    assert answer.status_code == 403 and fake.requests == []
    with pytest.raises(EgressDenied):
        keys(client_of(fake, method, host=fake.url.replace("http:", "https:")))


def test_an_empty_volume_that_seems_missing_is_valid_and_holds_no_file(api, body):
    with DatabricksFake(hide_empty_root=True) as fake:
        for route in (ROUTE, EXPORT):
            assert api.post(f"{route}/validate", body(fake)).status_code == 200
            for path in fake.paths():  # what an export's check could not tidy away
                fake.delete(path)
        assert keys(client_of(fake)) == []
        narrow = reader(fake, *READ, ("main.default.data", "WRITE VOLUME"), scopes=("files",))
        answer = api.post(f"{ROUTE}/validate", body(fake, **narrow))
        assert answer.json()["connection"]["code"] == "not_found"
        assert "empty or missing" in answer.json()["validation_errors"]["non_field_errors"][0]
        assert api.post(f"{EXPORT}/validate", body(fake, **narrow)).status_code == 200


def test_an_empty_volume_that_is_shown_needs_no_second_question(api, fake, body):
    narrow = reader(fake, *READ, scopes=("files",))
    assert api.post(f"{ROUTE}/validate", body(fake, **narrow)).status_code == 200


def test_a_folder_whose_files_lie_deep_below_many_folders_is_there(api, fake, body):
    for number in range(12):
        fake.put(f"{ROOT}/in/{number}/{number}/a.txt", b"x")
    assert api.post(f"{ROUTE}/validate", body(fake, prefix="in")).status_code == 200


def test_a_prefix_that_does_not_exist_is_no_error_for_exports(api, fake, body):
    assert api.post(f"{EXPORT}/validate", body(fake, prefix="new/folder", can_delete_objects=True)).status_code == 200
    assert fake.paths() == []


@pytest.mark.parametrize("field", ["catalog", "schema", "volume"])
@pytest.mark.parametrize("name", ["a.b", "a b", "a/b", "..", "a\x7f", "x" * 256])
def test_a_name_that_unity_catalog_does_not_allow_is_refused(api, fake, body, field, name):
    answer = api.post(f"{ROUTE}/validate", body(fake, **{field: name}))
    assert answer.status_code == 400 and list(answer.json()["validation_errors"]) == [field]
    assert fake.requests == []


def test_upper_case_names_mean_the_same_volume(fake):
    fake.put(f"{ROOT}/Case.txt", b"x")
    assert keys(client_of(fake, catalog="MAIN", schema="Default", volume="DATA")) == ["Case.txt"]


def test_the_policy_to_paste_quotes_its_names(fake):
    assert client_of(fake, catalog="a`b").policy({"list", "write"}) == [
        "GRANT USE CATALOG ON CATALOG `a``b` TO `<principal>`;",
        "GRANT USE SCHEMA ON SCHEMA `a``b`.`default` TO `<principal>`;",
        "GRANT READ VOLUME ON VOLUME `a``b`.`default`.`data` TO `<principal>`;",
        "GRANT WRITE VOLUME ON VOLUME `a``b`.`default`.`data` TO `<principal>`;",
    ]


def test_deleting_needs_the_right_to_write(api, fake, body):
    fake.put(f"{ROOT}/a", b"x")
    client = client_of(fake, **reader(fake, *READ))
    with pytest.raises(StorageError) as error:
        client.delete("a")
    assert (type(error.value), error.value.verb, error.value.grant) == (AccessDenied, "delete", WRITES)
    assert fake.get(f"{ROOT}/a") == b"x"


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (404, {"error_code": "NOT_FOUND", "message": "No file 'Invalid access token.png' here."}, NotFound),
        (403, {"error_code": "PERMISSION_DENIED", "message": "User does not have READ VOLUME on Volume 'required scopes.s.v'."}, AccessDenied),
        (500, {"error_code": "INTERNAL_ERROR", "message": "NOT_FOUND was what the store said"}, Unavailable),
    ],
)  # fmt: skip
def test_names_inside_a_message_decide_nothing(fake, status, error, kind):
    body = json.dumps(error).encode()
    assert type(client_of(fake).failure(status, {}, body, "read", "x")) is kind
