"""Compressed objects: recognised by content, unpacked within bounds, their faults said with the rows before them kept."""

import gzip

import pytest

from storages.errors import NotFound, Unavailable
from storages.sync import inflate, read
from tests.storages.sync.objects import Store, errors, packed, rows, values

LINES = b'{"a": 1}\n' * 5000


@pytest.mark.parametrize("name", ["t.jsonl.gz", "t.jsonl", "t", "t.gz", "T.JSON.GZ"])
@pytest.mark.parametrize("members", [1, 7])
def test_gzip_is_known_by_its_content_whatever_the_name(name, members):
    found = rows(packed(LINES, members), name, step=37)
    assert len(found) == 5000 and found[-1] == read.Row(4999, {"a": 1})
    assert read.refusal(name, 1, read.Limits()) == ""


@pytest.mark.parametrize(
    ("body", "rows_at_least", "said"),
    [
        (packed(LINES)[:-9], 4000, "breaks off"),
        (packed(LINES)[:30], 0, "breaks off"),
        (packed(LINES)[:-8] + b"\1\2\3\4" + packed(LINES)[-4:], 3000, "damaged"),
        (packed(LINES) + b"junk", 5000, "damaged"),
        (packed(packed(LINES)), 0, "compressed twice"),
        (b"\x1f\x8b", 0, "breaks off"),
        (b"\x1f\x8bnothing of the kind", 0, "damaged"),
        (packed(b""), 0, "empty"),
    ],
)  # fmt: skip
def test_damage_is_the_last_row_and_what_came_before_it_is_kept(body, rows_at_least, said):
    found = rows(body, "t.jsonl.gz", step=100, damaged=True)
    assert [row.error for row in found[:-1]] == [""] * (len(found) - 1) and len(found) > rows_at_least
    assert said in found[-1].error and found[-1].index == len(found) - 1


def test_zeros_that_fill_up_the_last_block_are_no_damage():
    assert len(values(packed(LINES) + b"\0" * 5000, "t.jsonl.gz")) == 5000


def test_a_bomb_costs_a_chunk_at_a_time_and_ends_at_the_limit():
    bomb, sizes = gzip.compress(b"{" + b" " * 50_000_000), []
    unpacked = inflate.Inflate(iter([bomb, b""]).__next__, read.Limits(unpacked_size=10_000_000))
    with pytest.raises(inflate.Malformed, match="SYNC_MAX_UNPACKED_MB"):
        while True:
            sizes.append(len(unpacked.read(65536)))
    assert max(sizes) <= 65536 and sum(sizes) <= 10_000_000
    [(_, error)] = errors(gzip.compress(b" " * 50_000_000), "t.json.gz", unpacked_size=10_000_000)
    assert "more than 9.537 MiB; SYNC_MAX_UNPACKED_MB" in error


def test_an_object_beyond_its_size_is_not_opened_and_one_that_grew_is_not_read():
    limits = read.Limits(object_size=1000)
    assert "SYNC_MAX_OBJECT_MB" in read.refusal("t.jsonl", 1001, limits) and not read.refusal("t.jsonl", 1000, limits)
    assert not read.refusal("t.jsonl", 10**15, read.Limits(object_size=0))
    store = Store({"t.jsonl": LINES})
    [row] = read.rows(store, store.stat("t.jsonl")._replace(size=10), limits)
    assert "SYNC_MAX_OBJECT_MB" in row.error and store.sent == store.unclosed == 0


@pytest.mark.parametrize(("key", "said"), [("a.png", ".png"), ("a.tar.gz", ".tar"), ("d.json/a.mp4", ".mp4")])
def test_names_that_hold_no_tasks_are_refused_with_the_way_out(key, said):
    message = read.refusal(key, 1, read.Limits())
    assert said in message and "use_blob_urls" in message


def test_a_storage_fault_is_raised_and_not_turned_into_a_row():
    store = Store({})
    with pytest.raises(NotFound):
        list(read.rows(store, read.ObjectInfo("gone.json", 5, None), read.Limits()))


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (LINES, 3333),
        (b"[" + LINES.replace(b"\n", b",") + b"{}]", 3000),
        (b"a,b\n" + b"1,2\n" * 10_000, 7000),
        (b'{\n"a": "' + b"x" * 50_000 + b'"\n}', 0),
        (b" " * 50_000 + b"{}", 0),
    ],
)  # fmt: skip
def test_a_connection_that_breaks_off_gives_the_rows_before_and_then_its_fault(body, kept):
    store = Store({"t.csv": body}, step=1000)
    store.cut = 30_000
    found = []
    with pytest.raises(Unavailable, match="broke off"):
        for row in read.rows(store, store.stat("t.csv"), read.Limits()):
            found.append(row)
    assert len(found) >= kept and not any(row.error for row in found) and store.unclosed == 0
