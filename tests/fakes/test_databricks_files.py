"""The Databricks fake serves files, ranges and pages as documented and refuses what does not fit: driven with plain HTTP."""

import time
from collections.abc import Iterator
from email.utils import formatdate

import pytest

from tests.fakes.databricks import DatabricksFake
from tests.fakes.databricks_clients import ROOT, call, refusal

VOLUME = "/api/2.1/unity-catalog/volumes/main.default.data"
NO_DIRECTORY = (404, "NOT_FOUND", "The directory being accessed is not found.", "FILES_API_DIRECTORY_IS_NOT_FOUND")
NO_FILE = (404, "NOT_FOUND", "The file being accessed is not found.", "FILES_API_FILE_NOT_FOUND")
EXISTS = (409, "ALREADY_EXISTS", "The file being created already exists.", None)


@pytest.fixture
def workspace() -> Iterator[DatabricksFake]:
    """A volume with one file, d/a.txt."""
    with DatabricksFake(page_cap=2) as fake:
        fake.put(f"{ROOT}/d/a.txt", b"0123456789")
        yield fake


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/Tables/main/default", "unsupported first path component: Tables"),
        ("/volumes/main/default/data", "unsupported first path component: volumes"),
        ("/Volumes", "Path is missing a catalog name"),
        ("/Volumes/main", "Path is missing a schema name"),
        ("/Volumes/main/default/", "Path is missing a volume name"),
        ("/Volumes/main//data", "Path is missing a schema name"),
        (f"{ROOT}//d", "empty, dot and NUL components are not supported"),
        (f"{ROOT}/d/%2E%2E", "empty, dot and NUL components are not supported"),
        (f"{ROOT}/%00", "empty, dot and NUL components are not supported"),
        (f"{ROOT}/%FF", "it is not valid UTF-8"),
    ],
)
@pytest.mark.parametrize("kind", ["directories", "files"])
def test_an_invalid_path_is_a_bad_request(workspace, kind, path, text):
    answer = call(workspace, "GET", kind + path)
    expected = "a file name is missing after the last slash" if kind == "files" and path.endswith("/") else text
    assert refusal(answer) == (400, "BAD_REQUEST", f"Invalid path: {expected}", "FILES_API_INVALID_PATH")


def test_only_percent_encoding_is_undone(workspace):
    workspace.put(f"{ROOT}/a+b", b"plus")
    workspace.put(f"{ROOT}/a b", b"space")
    workspace.put(f"{ROOT}/a%20b", b"percent")
    bodies = [call(workspace, "GET", f"files{ROOT}/{name}").content for name in ("a+b", "a%2Bb", "a%20b", "a%2520b")]
    assert bodies == [b"plus", b"plus", b"space", b"percent"]


def test_names_above_the_volume_have_no_case_and_names_below_have(workspace):
    assert call(workspace, "GET", "files/Volumes/MAIN/Default/Data/d/a.txt").status_code == 200
    assert call(workspace, "GET", f"files{ROOT}/D/a.txt").status_code == 404
    listed = call(workspace, "GET", "directories/Volumes/MAIN/Default/Data").json()["contents"]
    assert [entry["path"] for entry in listed] == [f"{ROOT}/d"]


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", f"directories{ROOT}/d/a.txt", NO_DIRECTORY),
        ("GET", f"directories{ROOT}/none", NO_DIRECTORY),
        ("GET", f"files{ROOT}/d", NO_FILE),
        ("GET", f"files{ROOT}", NO_FILE),
        ("GET", f"files{ROOT}/d/a.txt/b", NO_FILE),
        ("DELETE", f"files{ROOT}/none", NO_FILE),
        ("DELETE", f"files{ROOT}/d", NO_FILE),
        ("DELETE", f"directories{ROOT}/none", NO_DIRECTORY),
        ("DELETE", f"directories{ROOT}/d/a.txt", NO_DIRECTORY),
        ("GET", "directories/Volumes/main/default/none", (404, "NOT_FOUND", "Volume 'main.default.none' does not exist.", None)),
        ("GET", VOLUME + "2", (404, "NOT_FOUND", "Volume 'main.default.data2' does not exist.", None)),
        ("GET", f"{VOLUME}.x", (400, "BAD_REQUEST", "'main.default.data.x' is not a valid name of a volume.", None)),
        ("PUT", f"files{ROOT}/d/a.txt", EXISTS),
        ("PUT", f"files{ROOT}/d/a.txt?overwrite=false", EXISTS),
        ("PUT", f"files{ROOT}/d?overwrite=true", EXISTS),
        ("PUT", f"files{ROOT}/n?overwrite=yes", (400, "BAD_REQUEST", "overwrite must be true or false.", None)),
        ("PUT", f"files{ROOT}?overwrite=true", (400, "BAD_REQUEST", "A volume is not a file.", None)),
        ("PUT", f"directories{ROOT}/d/a.txt", (409, "ALREADY_EXISTS", "The directory being created already exists.", None)),
        ("PUT", f"files{ROOT}/d/a.txt/b", (409, "ALREADY_EXISTS", "The directory being created already exists.", None)),
        (
            "DELETE",
            f"directories{ROOT}/d",
            (400, "BAD_REQUEST", "The directory being deleted is not empty.", "FILES_API_DIRECTORY_IS_NOT_EMPTY"),
        ),
    ],
)
def test_what_does_not_fit_the_tree_is_refused_and_changes_nothing(workspace, method, target, expected):
    assert refusal(call(workspace, method, target)) == expected
    assert workspace.paths() == [f"{ROOT}/d/a.txt"] and workspace.get(f"{ROOT}/d/a.txt") == b"0123456789"


def test_uploads_make_parents_and_overwrite_only_when_told(workspace):
    assert call(workspace, "PUT", f"files{ROOT}/x/y/n.txt", data=b"1").status_code == 204
    assert call(workspace, "PUT", f"files{ROOT}/x/y/n.txt?overwrite=true", data=b"2").status_code == 204
    assert workspace.get(f"{ROOT}/x/y/n.txt") == b"2"
    assert [call(workspace, "PUT", f"directories{ROOT}/x/z/w").status_code for _ in range(2)] == [204, 204]
    assert call(workspace, "HEAD", f"directories{ROOT}/x/z/").status_code == 200
    assert call(workspace, "PUT", f"files{ROOT}/chunks", data=iter([b"1"])).status_code == 411


@pytest.mark.parametrize(
    ("target", "token", "status"),
    [
        (f"files{ROOT}/none", None, 404),
        (f"directories{ROOT}/d/a.txt", None, 404),
        (f"files{ROOT}/d/a.txt", "", 401),
        (f"files{ROOT}/d/a.txt", "dapi-unknown", 403),
    ],
)
def test_errors_of_head_have_no_body(workspace, target, token, status):
    answer = call(workspace, "HEAD", target, token=token)
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (status, "0", b"")


def test_head_tells_size_type_and_date_of_a_file(workspace):
    answer = call(workspace, "HEAD", f"files{ROOT}/d/a.txt")
    assert (answer.headers["content-length"], answer.headers["content-type"]) == ("10", "application/octet-stream")
    assert answer.headers["last-modified"].endswith(" GMT")


@pytest.mark.parametrize(
    ("value", "status", "content_range", "body"),
    [
        ("bytes=2-4", 206, "bytes 2-4/10", b"234"),
        ("bytes=0-0", 206, "bytes 0-0/10", b"0"),
        ("bytes=7-", 206, "bytes 7-9/10", b"789"),
        ("bytes=-3", 206, "bytes 7-9/10", b"789"),
        ("bytes=-30", 206, "bytes 0-9/10", b"0123456789"),
        ("bytes=8-30", 206, "bytes 8-9/10", b"89"),
        ("bytes=4-2", 200, None, b"0123456789"),
        ("bytes=-", 200, None, b"0123456789"),
        ("bytes=0-1,3-4", 200, None, b"0123456789"),
        ("lines=1-2", 200, None, b"0123456789"),
        ("bytes=10-", 416, "bytes */10", None),
        ("bytes=99-100", 416, "bytes */10", None),
        ("bytes=-0", 416, "bytes */10", None),
    ],
)
def test_ranges_are_served_inclusively(workspace, value, status, content_range, body):
    answer = call(workspace, "GET", f"files{ROOT}/d/a.txt", headers={"Range": value})
    assert (answer.status_code, answer.headers.get("content-range")) == (status, content_range)
    assert body is None or (answer.content == body and answer.headers["content-length"] == str(len(body)))


def test_any_range_of_an_empty_file_is_outside(workspace):
    workspace.put(f"{ROOT}/empty", b"")
    answer = call(workspace, "GET", f"files{ROOT}/empty", headers={"Range": "bytes=0-0"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */0")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_file_that_changed_since_is_not_served(workspace, method):
    read = call(workspace, "HEAD", f"files{ROOT}/d/a.txt").headers["last-modified"]
    target, since = f"files{ROOT}/d/a.txt", {"If-Unmodified-Since": read}
    assert call(workspace, method, target, headers=since).status_code == 200
    workspace.advance(2)
    workspace.put(f"{ROOT}/d/a.txt", b"changed")
    assert call(workspace, method, target, headers=since).status_code == 412
    assert call(workspace, method, target, headers={"If-Unmodified-Since": formatdate(time.time() + 9)}).status_code == 200
    assert call(workspace, method, target, headers={"If-Unmodified-Since": "yesterday"}).status_code == 200


def test_entries_leave_out_what_is_zero(workspace):
    workspace.put(f"{ROOT}/empty", b"")
    folder, file = call(workspace, "GET", f"directories{ROOT}").json()["contents"]
    assert type(folder.pop("last_modified")) is int and file.pop("last_modified") > 1_600_000_000_000
    assert folder == {"path": f"{ROOT}/d", "name": "d", "is_directory": True}
    assert file == {"path": f"{ROOT}/empty", "name": "empty"}
    workspace.make_directory(f"{ROOT}/bare")
    assert call(workspace, "GET", f"directories{ROOT}/bare").json() == {}


def walk(fake: DatabricksFake, query: str = "") -> list[dict]:
    """The pages of the volume's root."""
    pages = [call(fake, "GET", f"directories{ROOT}?{query}").json()]
    while token := pages[-1].get("next_page_token"):
        pages.append(call(fake, "GET", f"directories{ROOT}?{query}", params={"page_token": token}).json())
    return pages


@pytest.mark.parametrize(
    ("query", "sizes"), [("", [2, 2, 1]), ("page_size=1", [1] * 5), ("page_size=5000", [2, 2, 1]), ("page_size=0", [2, 2, 1])]
)
@pytest.mark.parametrize("empty_first", [False, True])
def test_listings_come_in_pages(workspace, query, sizes, empty_first):
    workspace.paging.empty_first = empty_first
    for index in range(4):
        workspace.put(f"{ROOT}/{index}", b"")
    pages = walk(workspace, query)
    assert [len(page["contents"]) for page in pages if "contents" in page] == sizes
    assert ("contents" not in pages[0]) is empty_first
    assert sorted(entry["name"] for page in pages for entry in page.get("contents", [])) == ["0", "1", "2", "3", "d"]


def test_no_page_holds_more_than_a_thousand_entries():
    with DatabricksFake(page_cap=5000) as fake:
        for index in range(1001):
            fake.put(f"{ROOT}/{index}", b"")
        assert [len(page["contents"]) for page in walk(fake, "page_size=1001")] == [1000, 1]


def test_a_page_token_belongs_to_its_listing(workspace):
    for index in range(4):
        workspace.put(f"{ROOT}/{index}", b"")
        workspace.put(f"{ROOT}/d/{index}", b"")
    token = call(workspace, "GET", f"directories{ROOT}?page_size=2").json()["next_page_token"]
    right = call(workspace, "GET", f"directories{ROOT}?page_size=2", params={"page_token": token})
    assert len(right.json()["contents"]) == 2
    for target, shown in [
        (f"directories{ROOT}?page_size=1", token),
        (f"directories{ROOT}", token),
        (f"directories{ROOT}/d?page_size=2", token),
        (f"directories{ROOT}?page_size=2", token[:-1]),
    ]:
        wrong = call(workspace, "GET", target, params={"page_token": shown})
        assert refusal(wrong)[:2] == (400, "INVALID_PARAMETER_VALUE")
    assert refusal(call(workspace, "GET", f"directories{ROOT}?page_size=x"))[:2] == (400, "INVALID_PARAMETER_VALUE")


def test_an_empty_volume_can_look_missing(workspace):
    workspace.files.hide_empty_root = True
    assert call(workspace, "HEAD", f"directories{ROOT}").status_code == 200
    workspace.delete(f"{ROOT}/d/a.txt")
    call(workspace, "DELETE", f"directories{ROOT}/d")
    assert call(workspace, "HEAD", f"directories{ROOT}").status_code == 404
    assert refusal(call(workspace, "GET", f"directories{ROOT}")) == NO_DIRECTORY
    assert call(workspace, "GET", VOLUME).json()["full_name"] == "main.default.data"
