"""The Databricks fake opens to the right token, scope and grant alone: driven with plain HTTP."""

import base64
from collections.abc import Iterator

import pytest
import requests

from tests.fakes.databricks import DatabricksFake
from tests.fakes.databricks_clients import ROOT, call, refusal, token_of

VOLUME = "/api/2.1/unity-catalog/volumes/main.default.data"


@pytest.fixture
def workspace() -> Iterator[DatabricksFake]:
    """A volume with one file, d/a.txt, and a user "reader" with token "reader" and no grants."""
    with DatabricksFake() as fake:
        fake.put(f"{ROOT}/d/a.txt", b"0123456789")
        fake.add_pat("reader", user="reader")
        yield fake


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer "}])
def test_a_request_without_a_bearer_token_is_unauthenticated(workspace, headers):
    status, code, message, _ = refusal(call(workspace, "GET", f"directories{ROOT}", token="", headers=headers))
    assert (status, code) == (401, 401) and message.startswith("Credential was not sent or was of an unsupported type")


def test_an_unknown_token_is_forbidden_rather_than_unauthenticated(workspace):
    answer = call(workspace, "GET", f"directories{ROOT}", token="dapi-unknown")
    status, code, message, _ = refusal(answer)
    assert (status, code) == (403, 403) and message.startswith("Invalid access token. [ReqId: ")
    assert answer.headers["X-Databricks-Reason-Phrase"] == "Invalid access token."


@pytest.mark.parametrize(
    ("scope", "target", "missing"),
    [
        ("sql", f"directories{ROOT}", "files"),
        ("unity-catalog", f"files{ROOT}/d/a.txt", "files"),
        ("files", VOLUME, "unity-catalog"),
        ("files", f"directories{ROOT}", None),
        ("unity-catalog", VOLUME, None),
        ("all-apis", VOLUME, None),
        ("all-apis", f"directories{ROOT}", None),
    ],
)
def test_a_token_opens_only_what_its_scopes_cover(workspace, scope, target, missing):
    workspace.add_pat("scoped", [scope], workspace.owner)
    answer = call(workspace, "GET", target, token="scoped")
    if missing is None:
        assert answer.status_code == 200
    else:
        assert refusal(answer) == (403, 403, f"Provided OAuth token does not have required scopes: {missing}", None)


USE = [("main", "USE CATALOG"), ("main.default", "USE SCHEMA")]
READ, WRITE = ("main.default.data", "READ VOLUME"), ("main.default.data", "WRITE VOLUME")
NO_READ, NO_WRITE = (f"User does not have {verb} VOLUME on Volume 'main.default.data'." for verb in ("READ", "WRITE"))
LIST, LOAD = ("GET", f"directories{ROOT}"), ("GET", f"files{ROOT}/d/a.txt")
SAVE, MAKE = ("PUT", f"files{ROOT}/n.txt?overwrite=false"), ("PUT", f"directories{ROOT}/n")
DROP, REMOVE = ("DELETE", f"files{ROOT}/d/a.txt"), ("DELETE", f"directories{ROOT}/d")


@pytest.mark.parametrize(
    ("grants", "request_", "message"),
    [
        *[([], request, "User does not have USE CATALOG on Catalog 'main'.") for request in (LIST, SAVE, ("GET", VOLUME))],
        *[(USE[:1], request, "User does not have USE SCHEMA on Schema 'main.default'.") for request in (LIST, DROP)],
        *[(USE, request, NO_READ) for request in (LIST, LOAD, SAVE, MAKE, DROP, REMOVE, ("GET", VOLUME))],
        *[([*USE, WRITE], request, NO_READ) for request in (LIST, LOAD, SAVE, MAKE, DROP, REMOVE)],
        *[([*USE, READ], request, NO_WRITE) for request in (SAVE, MAKE, DROP, REMOVE)],
        ([*USE, ("main.other.data", "READ VOLUME"), ("main.default.other", "READ VOLUME")], LIST, NO_READ),
    ],
)
def test_a_user_without_the_grant_is_told_which_one(workspace, grants, request_, message):
    for securable, privilege in grants:
        workspace.grant("reader", securable, privilege)
    answer = call(workspace, *request_, token="reader")
    assert refusal(answer) == (403, "PERMISSION_DENIED", message, None)
    assert workspace.paths() == [f"{ROOT}/d/a.txt"]


@pytest.mark.parametrize("securable", ["main", "Main.Default", "main.default.data"])
def test_grants_suffice_wherever_they_are_given_until_revoked(workspace, securable):
    workspace.grant("reader", "main", "USE CATALOG", "USE SCHEMA")
    workspace.grant("reader", securable, "READ VOLUME", "WRITE VOLUME")
    assert [call(workspace, *request, token="reader").status_code for request in (LIST, LOAD, SAVE)] == [200, 200, 204]
    workspace.revoke("reader", securable, "WRITE VOLUME")
    assert [call(workspace, *request, token="reader").status_code for request in (LIST, LOAD, DROP)] == [200, 200, 403]


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", f"/api/2.1/fs/files{ROOT}/d/a.txt"),
        ("GET", f"/fs/files{ROOT}/d/a.txt"),
        ("GET", f"/api/2.0/fs/file{ROOT}/d/a.txt"),
        ("GET", f"//api/2.0/fs/files{ROOT}/d/a.txt"),
        ("POST", f"files{ROOT}/d/a.txt"),
        ("POST", "/api/2.0/fs/create-download-url"),
        ("GET", "/oidc/v1/token"),
    ],
)
def test_what_is_no_endpoint_is_not_found_as_such(workspace, method, target):
    assert refusal(call(workspace, method, target))[:2] == (404, "ENDPOINT_NOT_FOUND")


def test_an_ip_access_list_shuts_out_tokens_and_token_requests(workspace):
    workspace.add_principal("crane", "s")
    workspace.block_address = True
    status, code, message, _ = refusal(call(workspace, "GET", f"directories{ROOT}"))
    assert (status, code) == (403, "403") and "is blocked by Databricks IP ACL for workspace" in message
    answer = token_of(workspace)
    assert answer.status_code == 403 and "error" not in answer.json()


def test_a_private_link_sends_the_client_to_a_login_page(workspace):
    workspace.redirect_to_login = True
    answer = call(workspace, "GET", f"directories{ROOT}")
    assert (answer.status_code, answer.headers["location"]) == (302, "/login.html?error=private-link-validation-error")
    page = requests.get(workspace.url + answer.headers["location"], timeout=5)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html") and page.text.startswith("<!doctype html>")


def test_trouble_comes_on_demand(workspace):
    workspace.fail_next(1, 429, "REQUEST_LIMIT_EXCEEDED", match="/d/", headers={"Retry-After": "3"})
    assert call(workspace, *LIST).status_code == 200
    answer = call(workspace, *LOAD)
    assert refusal(answer)[:2] == (429, "REQUEST_LIMIT_EXCEEDED") and answer.headers["retry-after"] == "3"
    assert call(workspace, *LOAD).status_code == 200
    workspace.cut_body_after(4, match="/d/", n=1)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        call(workspace, *LOAD)
    workspace.refuse_all()
    with pytest.raises(requests.ConnectionError):
        call(workspace, *LOAD)
    assert workspace.requests[-1].status == 0


@pytest.mark.parametrize(
    ("form", "auth", "status", "error"),
    [
        ({}, ("crane", "wrong"), 401, "invalid_client"),
        ({}, ("stranger", "s"), 401, "invalid_client"),
        ({}, None, 401, "invalid_client"),
        ({"client_id": "crane", "client_secret": "s"}, None, 401, "invalid_client"),
        ({"grant_type": "password"}, ("crane", "s"), 400, "unsupported_grant_type"),
        ({"grant_type": ""}, ("crane", "s"), 400, "unsupported_grant_type"),
        ({"scope": ""}, ("crane", "s"), 400, "invalid_scope"),
        ({"scope": "everything"}, ("crane", "s"), 400, "invalid_scope"),
        ({"scope": "all-apis"}, ("hook", "s"), 400, "invalid_scope"),
        ({"scope": "files sql"}, ("hook", "s"), 400, "invalid_scope"),
        ({"scope": "files"}, ("hook", "s"), 200, None),
        ({"scope": "files sql"}, ("crane", "s"), 200, None),
    ],
)
def test_the_token_endpoint_wants_a_basic_pair_the_grant_and_an_allowed_scope(workspace, form, auth, status, error):
    workspace.add_principal("crane", "s")
    workspace.add_principal("hook", "s", ["files"])
    form = {"grant_type": "client_credentials", "scope": "all-apis"} | form
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(f"{workspace.url}/oidc/v1/token", data=form, auth=auth, timeout=5)
        in_json = session.post(f"{workspace.url}/oidc/v1/token", json=form, auth=auth, timeout=5)
    assert (answer.status_code, answer.json().get("error")) == (status, error)
    assert in_json.status_code in (400, 401)


@pytest.mark.parametrize("scheme", ["Bearer", "basic64", ""])
def test_a_right_pair_under_another_scheme_is_refused(workspace, scheme):
    workspace.add_principal("crane", "s")
    pair = base64.b64encode(b"crane:s").decode()
    form = {"grant_type": "client_credentials", "scope": "files"}
    answer = call(workspace, "POST", "/oidc/v1/token", token="", data=form, headers={"Authorization": f"{scheme} {pair}".strip()})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
