"""The Databricks fake serves the right client: driven with the vendor's own, which is slow to import, so inside the tests."""

import io
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.environment import tls_directory
from tests.fakes.databricks import DatabricksFake
from tests.fakes.databricks_clients import ROOT, call, token_of
from tests.fakes.entra import DATABRICKS, STORAGE, EntraFake

ODD_NAMES = [
    "d i/with-?-and-#-100%-é+.txt",
    "a=b&c;d,e:f@g!$'()*~.txt",
    "日本/🚢.json",
    "100%25.txt",
    'quote".txt',
    "UPPER/lower.TXT",
    "..dots..txt",
    "tab\there.txt",
]


@pytest.fixture
def workspace() -> Iterator[DatabricksFake]:
    with DatabricksFake(page_cap=2) as fake:
        fake.add_principal("crane", "s")
        fake.grant("crane", "main", "ALL PRIVILEGES")
        yield fake


def sdk(fake: DatabricksFake, **credentials: str) -> Any:
    """The vendor's client, by default with the fake's own token; it reads no configuration of this machine."""
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.config import Config

    options = {"config_file": "/nonexistent", "retry_timeout_seconds": 5, "http_timeout_seconds": 5}
    credentials = credentials or {"token": fake.pat, "auth_type": "pat"}
    return WorkspaceClient(config=Config(host=fake.url, **options, **credentials))


@pytest.mark.parametrize(
    "credentials", [{}, {"client_id": "crane", "client_secret": "s", "auth_type": "oauth-m2m"}], ids=["pat", "oauth-m2m"]
)
@pytest.mark.parametrize("empty_first_page", [False, True])
def test_the_vendors_client_lists_uploads_reads_and_deletes(workspace, credentials, empty_first_page):
    workspace.paging.empty_first = empty_first_page
    files = sdk(workspace, **credentials).files
    files.create_directory(f"{ROOT}/empty")
    workspace.put(f"{ROOT}/0.txt", b"")  # requests sends an empty stream in chunks, which the fake does not read
    for index in range(1, 4):
        files.upload(f"{ROOT}/{index}.txt", io.BytesIO(b"x" * index), overwrite=True)
    listed = {entry.name: entry for entry in files.list_directory_contents(ROOT)}
    assert sorted(listed) == ["0.txt", "1.txt", "2.txt", "3.txt", "empty"]
    assert listed["empty"].is_directory and listed["empty"].file_size is None
    assert listed["3.txt"].file_size == 3 and listed["3.txt"].path == f"{ROOT}/3.txt" and not listed["3.txt"].is_directory
    assert abs(listed["3.txt"].last_modified / 1000 - workspace.clock()) < 60
    pages = [entry for entry in workspace.requests if entry.method == "GET" and entry.path.endswith("/directories" + ROOT)]
    assert len(pages) == 3 + empty_first_page and all("page_token=" in page.query for page in pages[1:])
    assert files.download(f"{ROOT}/3.txt").contents.read() == b"xxx"
    metadata = files.get_metadata(f"{ROOT}/2.txt")
    assert (metadata.content_length, metadata.content_type) == (2, "application/octet-stream") and metadata.last_modified
    files.delete(f"{ROOT}/3.txt")
    files.delete_directory(f"{ROOT}/empty")
    assert workspace.paths() == [f"{ROOT}/{index}.txt" for index in range(3)]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_odd_name_survives_the_round_trip_of_the_vendors_client(workspace, name):
    files = sdk(workspace).files
    files.upload(f"{ROOT}/{name}", io.BytesIO(b"odd"))
    assert workspace.paths() == [f"{ROOT}/{name}"] and workspace.get(f"{ROOT}/{name}") == b"odd"
    assert files.download(f"{ROOT}/{name}").contents.read() == b"odd"
    parent, _, last = f"{ROOT}/{name}".rpartition("/")
    assert [(entry.path, entry.name) for entry in files.list_directory_contents(parent)] == [(f"{ROOT}/{name}", last)]
    files.delete(f"{ROOT}/{name}")
    assert workspace.paths() == []


def test_the_vendors_client_understands_the_refusals(workspace):
    from databricks.sdk import errors

    files = sdk(workspace).files
    workspace.put(f"{ROOT}/a.txt", b"a")
    with pytest.raises(errors.AlreadyExists):
        files.upload(f"{ROOT}/a.txt", io.BytesIO(b"b"), overwrite=False)
    with pytest.raises(errors.NotFound):
        files.get_metadata(f"{ROOT}/none.txt")
    with pytest.raises(errors.NotFound, match="directory being accessed"):
        list(files.list_directory_contents(f"{ROOT}/a.txt"))
    with pytest.raises(errors.BadRequest, match="not empty"):
        files.delete_directory(ROOT)
    with pytest.raises(errors.PermissionDenied, match="Invalid access token"):
        sdk(workspace, token="dapi-unknown", auth_type="pat").files.delete(f"{ROOT}/a.txt")
    workspace.add_pat("dapi-reader")
    with pytest.raises(errors.PermissionDenied, match="USE CATALOG on Catalog 'main'"):
        sdk(workspace, token="dapi-reader", auth_type="pat").files.delete(f"{ROOT}/a.txt")
    assert workspace.get(f"{ROOT}/a.txt") == b"a"


def test_the_vendors_client_waits_as_told_and_tries_again(workspace):
    workspace.put(f"{ROOT}/a.txt", b"a")
    client = sdk(workspace)
    workspace.fail_next(1, 429, "REQUEST_LIMIT_EXCEEDED", match="/fs/", headers={"Retry-After": "1"})
    assert [entry.name for entry in client.files.list_directory_contents(ROOT)] == ["a.txt"]
    assert [entry.status for entry in workspace.requests if "/fs/" in entry.path] == [429, 200]


def test_the_vendors_client_reads_volume_info(workspace):
    volume = sdk(workspace).volumes.read("Main.Default.DATA")
    assert (volume.full_name, volume.catalog_name, volume.schema_name) == ("main.default.data", "main", "default")
    assert (volume.name, volume.volume_type.value) == ("data", "MANAGED")


def test_a_token_of_entra_opens_the_workspace_only_if_it_was_meant_for_databricks(workspace):
    with EntraFake(clients={"winch": "s"}) as entra, DatabricksFake(entra=entra) as fake:
        fake.grant("winch", "main", "ALL PRIVILEGES")
        token = entra.issue("winch", DATABRICKS)
        assert call(fake, "GET", f"directories{ROOT}", token=token).json() == {}
        assert call(fake, "GET", f"directories{ROOT}", token=entra.issue("winch", STORAGE)).status_code == 403
        assert call(fake, "GET", f"directories{ROOT}", token=entra.issue("crane", DATABRICKS)).status_code == 403
        assert call(workspace, "GET", f"directories{ROOT}", token=token).status_code == 403
        entra.advance(3600)
        assert call(fake, "GET", f"directories{ROOT}", token=token).status_code == 403


def test_a_workspace_speaks_tls_under_the_tests_authority():
    with DatabricksFake(tls=True) as fake, requests.Session() as session:
        session.trust_env = False
        headers = {"Authorization": f"Bearer {fake.pat}"}
        address = f"{fake.url}/api/2.0/fs/directories{ROOT}"
        assert session.get(address, headers=headers, verify=str(tls_directory() / "ca.pem"), timeout=5).json() == {}
        with pytest.raises(requests.exceptions.SSLError):
            session.get(address, headers=headers, timeout=5)
        config = session.get(f"{fake.url}/.well-known/databricks-config", verify=str(tls_directory() / "ca.pem"), timeout=5)
        assert config.json()["oidc_endpoint"] == f"{fake.url}/oidc"


def test_requests_are_logged_and_those_under_way_at_once_are_counted(workspace):
    workspace.delay(0.2)
    threads = [threading.Thread(target=call, args=(workspace, "HEAD", f"files{ROOT}/no%20file")) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert workspace.max_in_flight == 3
    workspace.heal()
    call(workspace, "GET", f"directories{ROOT}?page_size=7")
    assert workspace.requests[0] == ("HEAD", f"/api/2.0/fs/files{ROOT}/no%20file", "", 404)
    assert workspace.requests[-1] == ("GET", f"/api/2.0/fs/directories{ROOT}", "page_size=7", 200)
    assert workspace.max_in_flight == 3


def test_an_oauth_token_lives_as_long_as_it_says(workspace):
    workspace.oauth.expires_in = 60
    answer = token_of(workspace, "files").json()
    assert (answer["token_type"], answer["expires_in"], answer["scope"]) == ("Bearer", 60, "files")
    assert call(workspace, "GET", f"directories{ROOT}", token=answer["access_token"]).status_code == 200
    workspace.advance(60)
    assert call(workspace, "GET", f"directories{ROOT}", token=answer["access_token"]).status_code == 403
    fresh = token_of(workspace).json()["access_token"]
    assert call(workspace, "GET", f"directories{ROOT}", token=fresh).status_code == 200
    workspace.revoke_tokens()
    assert call(workspace, "GET", f"directories{ROOT}", token=fresh).status_code == 403


def test_files_put_around_the_api_can_be_read_and_deleted_around_it(workspace):
    workspace.put(f"{ROOT}/deep/a b.txt", b"1")
    workspace.put("/Volumes/MAIN/default/Data/deep/a b.txt", b"2")
    workspace.make_directory(f"{ROOT}/bare")
    assert workspace.get(f"{ROOT}/deep/a b.txt") == b"2" and workspace.get(f"{ROOT}/deep") is None
    assert workspace.paths() == [f"{ROOT}/deep/a b.txt"]
    workspace.delete(f"{ROOT}/deep/a b.txt")
    assert workspace.paths() == [] and call(workspace, "HEAD", f"directories{ROOT}/bare").status_code == 200
