"""Listings of a volume: pages, depth, cursors, and every name that a file may have."""

import json
from urllib.parse import parse_qs, unquote

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storages.errors import ConfigInvalid, NotFound, Unavailable
from tests.backends.databricks_volume import ROOT, client_of, keys
from tests.backends.databricks_volume import fake as fake  # noqa: F401 - the fixture
from tests.fakes.databricks import DatabricksFake
from tests.fakes.wire import Response, Server

LISTS = "/api/2.0/fs/directories"
DEEP = [
    "a.txt", "b.txt", "z.txt",
    *[f"n{number}.txt" for number in range(5)],
    "d1/a.txt", "d1/e1/a.txt", "d1/e1/f1/a.txt", "d1/e1/f1/g1/a.txt", *[f"d1/e1/f1/g1/n{number}.txt" for number in range(5)],
    "d10/a.txt", "d2/e/f/a.txt", "d2/a.txt", "c/z.txt", *[f"c/sub{number}/x.txt" for number in range(6)], "d1.e/x.txt",
]  # fmt: skip


def plant(fake: DatabricksFake, names=DEEP, top: str = ROOT) -> None:
    for name in names:
        fake.put(f"{top}/{name}", b"x")


def listings(fake: DatabricksFake) -> list[tuple[str, str | None]]:
    """(directory below the volume, page token) of every listing asked for."""
    asked = [request for request in fake.requests if request.path.startswith(LISTS) and request.method == "GET"]
    return [
        (unquote(one.path.removeprefix(LISTS + ROOT)).strip("/"), parse_qs(one.query).get("page_token", [None])[0])
        for one in asked
    ]


@pytest.mark.parametrize("empty_first", [False, True])
def test_a_listing_goes_on_to_the_last_token_also_behind_an_empty_page(fake, empty_first):
    fake.paging.empty_first = empty_first
    plant(fake)
    assert sorted(keys(client_of(fake))) == sorted(DEEP)


def test_a_token_is_sent_for_its_own_directory_only_and_once(fake):
    plant(fake)
    keys(client_of(fake))
    tokens = [token for _, token in listings(fake) if token]
    assert len(tokens) == len(set(tokens)) >= 4
    for directory in {directory for directory, _ in listings(fake)}:
        first, *others = [token for place, token in listings(fake) if place == directory]
        assert first is None and None not in others


def test_folders_are_read_breadth_first(fake):
    plant(fake)
    keys(client_of(fake))
    depths = [directory.count("/") + bool(directory) for directory in dict(listings(fake))]
    assert depths == sorted(depths) and max(depths) == 4


def test_without_recursion_no_folder_is_looked_into(fake):
    plant(fake)
    assert sorted(keys(client_of(fake), recursive=False)) == sorted(name for name in DEEP if "/" not in name)
    assert {directory for directory, _ in listings(fake)} == {""}


@pytest.mark.parametrize("empty_first", [False, True])
@pytest.mark.parametrize("recursive", [True, False])
@pytest.mark.parametrize("root", ["", "in/"])
def test_every_cursor_resumes_with_exactly_the_rest(fake, root, recursive, empty_first):
    fake.paging.empty_first = empty_first
    plant(fake, [root + name for name in DEEP])
    client = client_of(fake, prefix=root)
    pages = list(client.list(recursive=recursive))
    everything = sorted(item.key for page in pages for item in page.objects)
    assert everything == sorted(root + name for name in DEEP if recursive or "/" not in name)
    seen: list[str] = []
    for page in pages:
        seen += [item.key for item in page.objects]
        rest = keys(client, recursive=recursive, after=page.cursor) if page.cursor else []
        assert sorted(seen + rest) == everything
    assert pages[-1].cursor == ""


def test_a_cursor_resumes_with_exactly_the_rest_though_its_folder_is_gone():
    with DatabricksFake(page_cap=4) as counted:
        plant(counted)
        count = len(list(client_of(counted).list(recursive=True)))
    for position in range(count - 1):
        with DatabricksFake(page_cap=4) as fake:
            plant(fake)
            pages = client_of(fake).list(recursive=True)
            seen: list[str] = []
            for _ in range(position + 1):
                page = next(pages)
                seen += [item.key for item in page.objects]
            gone = cursor_folder(page.cursor)
            for name in DEEP if gone else ():
                if name.startswith(gone + "/"):
                    fake.delete(f"{ROOT}/{name}")
            drop(fake, gone)
            rest = keys(client_of(fake), after=page.cursor)
            assert not set(rest) & set(seen)
            assert {name for name in DEEP if not gone or not name.startswith(gone + "/")} <= {*seen, *rest}
            assert len(rest) == len(set(rest))


def cursor_folder(cursor: str) -> str:
    return json.loads(cursor)[0]


def drop(fake: DatabricksFake, folder: str) -> None:
    """Removes an empty folder and the empty ones in it."""
    folders = sorted({"/".join(name.split("/")[:depth]) for name in DEEP for depth in range(1, name.count("/") + 1)}, key=len)
    for name in reversed(folders):
        if folder and (name == folder or name.startswith(folder + "/")):
            url, proof = f"{fake.url}{LISTS}{ROOT}/{name}", {"Authorization": f"Bearer {fake.pat}"}
            assert requests.delete(url, headers=proof, timeout=5).status_code == 204


def test_a_folder_that_vanishes_while_its_pages_are_read_ends_there(fake):
    plant(fake, ["a/x.txt", "b/y.txt"])
    fake.fail_next(status=404, code="NOT_FOUND", match=f"{LISTS}{ROOT}/a$")
    assert keys(client_of(fake)) == ["b/y.txt"]


NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=40).filter(
    lambda name: name not in (".", "..")
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=NAMES, folder=NAMES)
def test_every_legal_name_survives_write_list_stat_open_uri_and_delete(fake, name, folder):
    client, key = client_of(fake), f"{folder}/{name}"
    client.write(key, name.encode())
    assert fake.get(f"{ROOT}/{key}") == name.encode()
    assert keys(client) == [key] and client.stat(key).size == len(name.encode())
    with client.open(key) as stream:
        assert stream.read() == name.encode()
    assert client.key_of(client.uri(key)) == key
    client.delete(key)
    assert fake.paths() == []


@pytest.mark.parametrize(
    ("name", "encoded"),
    [("a+b", "a%2Bb"), ("a b", "a%20b"), ("100%", "100%25"), ("q?", "q%3F"), ("h#", "h%23"), ("é", "%C3%A9"), ("a;b=c&d", "a%3Bb%3Dc%26d")],
)  # fmt: skip
def test_a_name_is_escaped_byte_by_byte(fake, name, encoded):
    fake.put(f"{ROOT}/d+d/{name}", b"x")
    client_of(fake).stat(f"d+d/{name}")
    assert keys(client_of(fake, prefix="d+d")) == [f"d+d/{name}"]
    paths = [request.path for request in fake.requests]
    assert paths == [f"/api/2.0/fs/files{ROOT}/d%2Bd/{encoded}", f"{LISTS}{ROOT}/d%2Bd"]


@pytest.mark.parametrize("prefix", ["a/../b", "..", "./a", "a//b", "a/."])
def test_a_prefix_leads_nowhere_else(fake, prefix):
    with pytest.raises(ConfigInvalid) as error:
        client_of(fake, prefix=prefix)
    assert error.value.field == "prefix"


def entry(path: str = f"{ROOT}/a", **more) -> dict:
    return {"path": path, "name": path.rpartition("/")[2], "last_modified": 1000} | more


def served(document: object) -> Server:
    """A workspace whose every answer is ``document``."""
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Server(lambda request: Response(200, {"content-type": "application/json", "content-length": str(len(text))}, text))


@pytest.mark.parametrize(
    "document",
    [
        b"", b"<!doctype html><title>Sign in</title>", b"[]", b"null", b"\xff", b"[" * 100_000, b'"contents"', {"contents": 5},
        {"contents": "text"}, {"contents": ["text"]}, {"contents": [{}]}, {"contents": [{"path": 5}]},
        {"contents": [entry(f"{ROOT}-private/a")]}, {"contents": [entry("/Volumes/main/default/other/a")]},
        {"contents": [entry(f"{ROOT}/sub/a")]}, {"contents": [entry(ROOT, is_directory=True)]}, {"contents": [entry(f"{ROOT}/")]},
        {"contents": [entry(f"{ROOT}/..", is_directory=True)]}, {"contents": [entry(f"{ROOT}/.")]}, {"contents": [entry("a")]},
        {"contents": [entry(f"{ROOT}/a\ud800")]}, {"contents": [entry(file_size="many")]}, {"contents": [entry(last_modified=1e20)]},
        {"contents": [entry(last_modified=1e400)]}, {"contents": [entry(last_modified=10**12 * 1000)]},
    ],
)  # fmt: skip
def test_something_else_is_no_listing_and_the_host_is_named(fake, document):
    with served(document) as server, pytest.raises(ConfigInvalid, match="Databricks workspace") as error:
        keys(client_of(fake, host=server.url))
    assert error.value.field == "host"


def test_numbers_may_be_digits_and_members_may_be_missing(fake):
    contents = [entry(file_size="12", last_modified="1000"), {"path": f"{ROOT}/b", "is_directory": None}]
    with served({"contents": contents, "next_page_token": ""}) as server:
        [page] = client_of(fake, host=server.url).list(recursive=True)
    assert [(item.key, item.size, item.modified.timestamp()) for item in page.objects] == [("a", 12, 1.0), ("b", 0, 0.0)]
    with served({}) as server:
        assert keys(client_of(fake, host=server.url)) == []


def test_a_listing_whose_token_repeats_ends(fake):
    with served({"next_page_token": "again"}) as server, pytest.raises(Unavailable, match="repeats"):
        keys(client_of(fake, host=server.url))


def test_a_volume_that_is_missing_is_not_found(fake):
    with pytest.raises(NotFound):
        keys(client_of(fake, volume="missing"))
