"""Going on in the middle of an object: the same rows as in a reading from the start, and no more bytes than needed."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet, table

from storages.sync import read
from tests.storages.sync.objects import Store, packed, rows

LINES = b"".join(b'{"a": %d}\n' % number if number % 7 else b"bad\n\n" for number in range(1, 60))
ARRAY = b"[" + b",".join(b'{"a": %d}' % number for number in range(60)) + b"]"
TABLE = b"a,b\n" + b"".join(b"%d,x\n" % number if number % 7 else b"ragged\n\n" for number in range(60))


def groups(count: int, size: int) -> bytes:
    body = io.BytesIO()
    parquet.write_table(table({"a": [str(number) * 50 for number in range(count)]}), body, row_group_size=size)
    return body.getvalue()


PARQUET = groups(60, 8)
OBJECTS = {
    "t.jsonl": LINES,
    "bom.jsonl": b"\xef\xbb\xbf\r\n" + LINES[:-1],
    "t.jsonl.gz": packed(LINES, 3),
    "t.json": ARRAY,
    "t.json.gz": packed(ARRAY),
    "cut.json": ARRAY[:-20],
    "one.json": b'{\n"a": 1\n}',
    "t.csv": TABLE,
    "t.csv.gz": packed(TABLE),
    "t.parquet": PARQUET,
    "t.parquet.gz": packed(PARQUET),
}


@pytest.mark.parametrize("name", OBJECTS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_reading_from_any_mark_gives_the_tail_of_a_full_reading(name, data):
    full = rows(OBJECTS[name], name)
    at = data.draw(st.integers(0, len(full) - 1))
    last = full[at]
    mark = read.Mark(last.group, last.index + 1, last.offset)
    assert rows(OBJECTS[name], name, mark=mark, step=data.draw(st.integers(30, 200))) == full[at + 1 :]


def test_json_lines_go_on_at_their_byte_and_what_lies_before_is_not_fetched():
    store = Store({"t.jsonl": LINES})
    half = rows(LINES, "t.jsonl")[30]
    assert list(read.rows(store, store.stat("t.jsonl"), read.Limits(), mark=read.Mark(0, 31, half.offset)))[0].index == 31
    assert store.opened == [(half.offset, None)] and store.sent == len(LINES) - half.offset


def test_lines_appended_later_get_the_next_numbers_with_or_without_a_line_end_before():
    for begun in (b'{"a": 1}\n{"a": 2}\n', b'{"a": 1}\n{"a": 2}'):
        last = rows(begun, "t.jsonl")[-1]
        mark = read.Mark(0, last.index + 1, last.offset)
        assert rows(begun, "t.jsonl", mark=mark) == []
        grown = begun.rstrip() + b'\n{"a": 3}\n'
        assert [row[:2] for row in rows(grown, "t.jsonl", mark=mark)] == [(2, {"a": 3})]


def test_a_file_that_became_shorter_than_its_mark_is_read_from_its_start():
    assert [row.index for row in rows(b'{"a": 1}\n{"a": 2}\n{"a": 3}\n', "t.jsonl", mark=read.Mark(0, 1, 500))] == [1, 2]


def test_row_groups_before_the_mark_are_not_fetched():
    body = groups(400_000, 40_000)
    store = Store({"t.parquet": body})
    found = read.rows(store, store.stat("t.parquet"), read.Limits(), mark=read.Mark(9, 39_999))
    assert [(row.group, row.index) for row in found] == [(9, 39_999)]
    place = parquet.ParquetFile(io.BytesIO(body)).metadata.row_group(9).column(0).dictionary_page_offset
    assert min(start for start, _ in store.opened[1:]) >= place - 1024 and store.unclosed == 0


def test_closing_the_rows_early_closes_the_connection():
    for name, body in OBJECTS.items():
        store = Store({name: body}, step=20)
        found = read.rows(store, store.stat(name), read.Limits())
        next(found)
        found.close()
        assert store.unclosed == 0, name


def test_a_parquet_object_replaced_while_it_is_read_mixes_no_versions():
    from storages.errors import Unavailable

    store = Store({"t.parquet": groups(400_000, 40_000)})
    found = read.rows(store, store.stat("t.parquet"), read.Limits())
    next(found)
    store.etag = "2"
    with pytest.raises(Unavailable, match="replaced"):
        list(found)
