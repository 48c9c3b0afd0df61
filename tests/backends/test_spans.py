"""Parts of a storage, listed one by one: what every backend must do the same, or say that it cannot."""

import threading
from itertools import pairwise

import pytest

from storages.client import EVERYTHING, Client, Span
from storages.errors import CursorLost, Unsupported
from tests.backends.harness import Harness

NAMES = ["s/a.txt", "s/a/1", "s/a/2", "s/a b/1", "s/a/x/y", "s/b-1", "s/b/1", "s/b/2", "s/é/1", "s/z.txt", "s/日本", "s/😀"]


@pytest.fixture
def filled(box: Harness) -> Client:
    """A client of s/ with NAMES and a neighbour that is no part of it."""
    for name in [*NAMES, "s-private/secret"]:
        box.put(name, b"12345")
    return box.client("s/")


def keys(client: Client, *, recursive: bool = True, after: str = "", span: Span = EVERYTHING) -> list[str]:
    return [item.key for page in client.list(recursive=recursive, after=after, span=span) for item in page.objects]


def test_spans_split_anywhere_hold_every_key_exactly_once_and_in_order(box, filled):
    if not filled.capabilities.ranges:
        return
    places = ["", "A", "s/", "s/a/", "s/a/1", "s/a0", "s/b/1", "s/é", "s/日本", "zz", ""]
    parts = [keys(filled, span=Span(low, high)) for low, high in pairwise(places)]
    assert [key for part in parts for key in part] == keys(filled) == sorted(NAMES)
    for (low, high), part in zip(pairwise(places), parts, strict=True):
        assert all(low < key and (not high or key <= high) for key in part)


@pytest.mark.parametrize("span", [Span(low="s/b"), Span(high="s/b"), Span("s/a/1", "s/b")])
def test_a_backend_without_ranges_says_so_and_lists_nothing_else(box, filled, span):
    if filled.capabilities.ranges:
        assert set(keys(filled, span=span)) < set(NAMES)
        return
    with pytest.raises(Unsupported):
        keys(filled, span=span)


def test_a_listing_goes_on_inside_a_span_behind_every_cursor(box, filled):
    span = Span("s/a/1", "s/日本") if filled.capabilities.ranges else Span()
    pages = list(filled.list(recursive=True, span=span))
    assert len(pages) > 1 and pages[-1].cursor == "" and all(page.cursor for page in pages[:-1])
    every = sorted(item.key for page in pages for item in page.objects)
    for number, page in enumerate(pages[:-1], 1):
        seen = [item.key for page in pages[:number] for item in page.objects]
        assert sorted(seen + keys(filled, after=page.cursor, span=span)) == every


def test_where_there_are_ranges_any_key_is_a_cursor_and_the_greater_of_it_and_the_low_end_counts(box, filled):
    if not filled.capabilities.ranges:
        return
    ordered = sorted(NAMES)
    for after, low in [
        ("s/a/1", ""),
        ("", "s/a/1"),
        ("s/a/1", "s/a b/1"),
        ("s/a", "s/a/1"),
        ("s/a/1", "s/a/1"),
        ("s/a/0", "s/a/1"),
    ]:
        assert keys(filled, after=after, span=Span(low)) == [key for key in ordered if key > max(after, low)]
    for page in filled.list(recursive=True):
        assert page.cursor in ("", page.objects[-1].key)


def test_a_folder_and_what_lies_beside_it_make_up_the_whole(box, filled):
    if not filled.capabilities.subfolders:
        with pytest.raises(Unsupported):
            keys(filled, span=Span(folder=box.key("s/a") + "/"))
        return
    folders = filled.folders()
    assert [box.name_of(folder) for folder in folders] in (
        ["s/a b/", "s/a/", "s/b/", "s/é/"],
        ["s/a b", "s/a", "s/b", "s/é"],  # how pathlib tells a folder
    )
    assert all(folder.endswith("/") and folder.startswith(filled.root) for folder in folders)
    inside = [key for folder in folders for key in keys(filled, span=Span(folder=folder))]
    assert sorted(inside + keys(filled, recursive=False)) == sorted(map(box.key, NAMES))
    beside = keys(filled, recursive=False, span=Span(folder=box.key("s/a") + "/"))
    assert beside == [box.key("s/a/1"), box.key("s/a/2")]


def test_folders_of_folders_are_told_too_and_a_folder_without_any_has_none(box, filled):
    if not filled.capabilities.subfolders:
        with pytest.raises(Unsupported):
            filled.folders()
        return
    assert list(filled.folders(box.key("s/a") + "/")) == [box.key("s/a/x") + "/"]
    assert list(filled.folders(box.key("s/b") + "/")) == []
    assert keys(filled, span=Span(folder=box.key("s/gone") + "/")) == []


def test_a_folder_outside_of_the_root_or_without_its_slash_is_refused(box, filled):
    for folder in (box.key("s-private") + "/", box.key("s/a")):
        with pytest.raises(Unsupported):
            keys(filled, span=Span(folder=folder))
        with pytest.raises(Unsupported):
            filled.folders(folder)


def test_too_many_folders_are_not_told_at_all(box, filled, monkeypatch):
    if not filled.capabilities.subfolders:
        return
    monkeypatch.setattr("storages.client.FOLDERS", 4)
    assert len(filled.folders()) == 4
    monkeypatch.setattr("storages.client.FOLDERS", 3)
    with pytest.raises(Unsupported, match="too many"):
        filled.folders()


def test_folders_among_too_many_objects_are_not_told_either(box, filled, monkeypatch):
    if not filled.capabilities.subfolders or box.name == "localfiles":  # a directory is read at once
        return
    monkeypatch.setattr("storages.client.FOLDER_PAGES", 1)
    with pytest.raises(Unsupported, match="too many"):
        filled.folders()


def test_a_cursor_that_the_provider_forgot_is_lost_and_not_a_wrong_setting(box, filled):
    cursor = next(iter(filled.list(recursive=True))).cursor
    if not box.forget_cursors():
        assert keys(filled, after=cursor)
        return
    with pytest.raises(CursorLost):
        while cursor:  # databricks: the cursor behind the last page of a folder holds no token
            cursor = next(iter(filled.list(recursive=True, after=cursor))).cursor


def test_a_cursor_that_is_none_is_lost(box, filled):
    if filled.capabilities.ranges or box.name == "localfiles":  # any text is a place there
        assert isinstance(keys(filled, after="no cursor of ours"), list)
        return
    with pytest.raises(CursorLost):
        keys(filled, after="no cursor of ours")


def test_the_meter_counts_requests_and_the_bytes_of_listings_and_objects(box, filled):
    meter = filled.meter
    assert (meter.requests, meter.bytes) == (0, 0)
    pages = list(filled.list(recursive=True))
    listed, received = meter.requests, meter.bytes
    assert listed >= (1 if box.name == "localfiles" else len(pages))
    assert received > 0 or box.name == "localfiles"
    with filled.open(box.key("s/a.txt")) as stream:
        stream.read(-1)
    assert meter.requests > listed and meter.bytes >= received + 5
    assert box.client("s/").meter.requests == 0


def test_the_meter_counts_repetitions(box, filled):
    if box.name in ("localfiles", "redis"):  # nothing is repeated there
        return
    keys(filled)
    before = filled.meter.requests
    keys(filled)
    usual = filled.meter.requests - before
    box.fake.fail_next(1)
    keys(filled)
    assert filled.meter.requests == before + 2 * usual + 1


def test_threads_share_a_meter_without_losing_a_count(box, filled):
    threads = [threading.Thread(target=lambda: [filled.meter.count(requests=1, size=3) for _ in range(5000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (filled.meter.requests, filled.meter.bytes) == (20_000, 60_000)
