"""Parquet: every type has a JSON form, groups are refused one by one, and no file takes the memory it could pretend to need."""

import io
import struct
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from storages.sync import read
from tests.storages.sync.objects import errors, packed, rows, values

LEAVES = st.none() | st.integers(-(2**60), 2**60)
RECORDS = st.fixed_dictionaries(
    {
        "text": st.none() | st.text(st.characters(codec="utf-8"), max_size=5),
        "list": st.none() | st.lists(st.none() | st.lists(st.sampled_from(["a", "b", None])), max_size=3),
        "struct": st.none() | st.fixed_dictionaries({"n": LEAVES, "t": st.none() | st.sampled_from(["x", "y"])}),
        "structs": st.lists(st.none() | st.fixed_dictionaries({"n": LEAVES}), max_size=3),
        "map": st.none() | st.dictionaries(st.sampled_from(["k", "l"]), LEAVES),
    }
)
SCHEMA = pa.schema(
    {
        "text": pa.string(),
        "list": pa.list_(pa.list_(pa.string())),
        "struct": pa.struct({"n": pa.int64(), "t": pa.string()}),
        "structs": pa.list_(pa.struct({"n": pa.int64()})),
        "map": pa.map_(pa.string(), pa.int64()),
    }
)


def written(table: pa.Table, **options: Any) -> bytes:
    body = io.BytesIO()
    parquet.write_table(table, body, **options)
    return body.getvalue()


@settings(max_examples=80, deadline=None)
@given(st.lists(RECORDS, min_size=1, max_size=12), st.booleans(), st.integers(1, 5), st.integers(0, 12))
def test_nested_values_come_out_as_they_went_in(records, dictionary, size, skipped):
    maps = [{**record, "map": record["map"] and list(record["map"].items())} for record in records]
    maps = [{**record, "map": [] if records[n]["map"] == {} else record["map"]} for n, record in enumerate(maps)]
    body = written(pa.Table.from_pylist(maps, SCHEMA), use_dictionary=dictionary, row_group_size=size)
    found = rows(body, "t.parquet")
    assert [(row.group, row.index, row.value) for row in found] == [(n // size, n % size, row) for n, row in enumerate(records)]
    mark = read.Mark(skipped // size, skipped % size)
    assert rows(body, "t.parquet", mark=mark) == found[skipped:]


@pytest.mark.parametrize(
    ("array", "wanted"),
    [
        (pa.array([datetime(2026, 1, 2, tzinfo=UTC)]), "2026-01-02T00:00:00+00:00"),
        (pa.array([1_700_000_000_123_456_789], pa.timestamp("ns")), "2023-11-14T22:13:20.123456"),
        (pa.array([date(2026, 1, 2)]), "2026-01-02"),
        (pa.array([time(1, 2, 3)]), "01:02:03"),
        (pa.array([timedelta(seconds=90)]), 90.0),
        (pa.array([Decimal("1.50")]), 1.5),
        (pa.array([b"\x00\xff"]), "AP8="),
        (pa.array(["a"]).dictionary_encode(), "a"),
        (pa.array([[1.5, 2.0]], pa.list_(pa.float32(), 2)), [1.5, 2.0]),
        (pa.array([[("a", b"x")]], pa.map_(pa.string(), pa.binary())), {"a": "eA=="}),
        (pa.array([True]), True),
        (pa.array([None]), None),
    ],
)
def test_every_type_has_a_json_form(array, wanted):
    assert values(written(pa.table({"v": array}))) == [{"v": wanted}]


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (pa.array([1.0, float("nan"), 2.0]), "nan is not JSON; write null"),
        (pa.array([[1.0], [float("inf")], [2.0]]), "inf is not JSON"),
        (pa.array([0, 2**60, 1], pa.timestamp("ms")), "no JSON form"),
        (pa.array([b"a", b"\xff", b"b"]).view(pa.string()), "no JSON form"),
        (pa.array(["a", "x" * 5000, "b"]), "SYNC_MAX_ROW_MB"),
        (pa.array([["a"], ["x" * 100] * 50, ["b"]]), "SYNC_MAX_ROW_MB"),
    ],
)
def test_a_value_without_json_form_spoils_its_row_alone(array, said):
    for dictionary in (True, False):
        found = rows(written(pa.table({"v": array}), use_dictionary=dictionary), row_size=2000)
        assert [bool(row.error) for row in found] == [False, True, False] and said in found[1].error


def test_a_row_group_too_large_or_damaged_hides_no_other():
    table = pa.table({"a": ["x" * 20_000 + str(number) for number in range(40)]})
    body = io.BytesIO()
    with parquet.ParquetWriter(body, table.schema, compression="none", use_dictionary=False) as writer:
        for start, count in ((0, 5), (5, 30), (35, 5)):
            writer.write_table(table.slice(start, count))
    found = rows(body.getvalue(), row_group_size=400_000)
    assert [(row.group, row.index) for row in found if row.error] == [(1, 0)] and "SYNC_MAX_ROW_GROUP_MB" in found[5].error
    assert [row.group for row in found] == [0] * 5 + [1] + [2] * 5
    place = parquet.ParquetFile(body).metadata.row_group(1).column(0).data_page_offset
    damaged = body.getvalue()[:place] + b"\xff" * 100 + body.getvalue()[place + 100 :]
    found = rows(damaged)
    assert [row.group for row in found if not row.error] == [0] * 5 + [2] * 5
    assert [row.group for row in found if row.error] == [1]


def test_lists_that_take_nothing_in_the_file_count_as_what_they_unpack_to():
    body = written(pa.table({"a": pa.array([[7] * 1_000_000], pa.list_(pa.int32()))}))
    assert len(body) < 10_000
    [(_, error)] = errors(body, row_group_size=1 << 20)
    assert "SYNC_MAX_ROW_GROUP_MB" in error
    deep = written(pa.table({"a": pa.array([[[[[1]]]]])}))
    assert len(values(deep)) == 1 and "SYNC_MAX_JSON_DEPTH" in errors(deep, depth=4)[0][1]


@pytest.mark.parametrize("encoding", ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY", "PLAIN"])
def test_texts_are_read_whatever_their_encoding(encoding):
    texts = ["prefix" * 20 + str(number) for number in range(300)]
    body = written(pa.table({"a": texts}), use_dictionary=False, column_encoding={"a": encoding})
    assert [value["a"] for value in values(body)] == texts


@pytest.mark.parametrize("name", ["t.parquet", "t", "t.json", "t.parquet.gz"])
def test_parquet_is_known_by_its_content_whatever_the_name(name):
    body = written(pa.table({"a": [1, 2]}))
    assert values(body, name) == values(packed(body), name) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda body: body[:-20], "its end is missing"),
        (lambda body: body[:4], "its end is missing"),
        (lambda body: body[:-8] + struct.pack("<I", 2**31) + b"PAR1", "SYNC_MAX_ROW_GROUP_MB"),
        (lambda body: body[:-8] + struct.pack("<I", 5000) + b"PAR1", "not a readable Parquet file"),
        (lambda body: body[:-40] + b"\xff" * 32 + body[-8:], "not a readable Parquet file"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_one_error(change, said):
    [(index, error)] = errors(change(written(pa.table({"a": [1, 2]}))))
    assert index == 0 and said in error


def test_a_table_without_rows_or_columns_gives_none():
    assert rows(written(pa.table({"a": pa.array([], pa.string())}))) == rows(written(pa.table({}))) == []


def test_no_damaged_byte_of_the_footer_ends_the_process_or_raises():
    body = written(pa.table({"a": ["x", None], "l": [[1, 2], None]}))
    footer = struct.unpack("<I", body[-8:-4])[0] + 8
    for place in range(len(body) - footer, len(body) - 8):
        rows(body[:place] + bytes([body[place] ^ 0x15]) + body[place + 1 :])


@pytest.mark.parametrize(
    "table",
    [
        pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]),
        pa.table({"s": pa.array([[{}]], pa.list_(pa.struct([("a", pa.int8()), ("a", pa.int8())])))}),
    ],
)
def test_two_columns_of_one_name_are_refused(table):
    [row] = rows(written(table), "t.parquet")
    assert "'a' twice" in row.error and row.whole
