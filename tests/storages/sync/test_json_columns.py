"""Text columns that a Parquet file calls JSON are parsed; others stay text, and a bad one spoils only its row."""

import io

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.storages.sync.objects import errors, rows, values


def packed(columns, marked=b"data,meta", **options):
    table = pa.table(columns).replace_schema_metadata({b"quayside.json": marked} if marked else {})
    file = io.BytesIO()
    parquet.write_table(table, file, **options)
    return file.getvalue()


def test_marked_columns_are_parsed_and_others_are_not():
    body = packed({"data": [' {"a": [1, null]} ', None], "meta": ["3", '"x"'], "note": ["{}", "[1]"], "id": [1, 2]})
    assert values(body, "a.parquet") == [
        {"data": {"a": [1, None]}, "meta": 3, "note": "{}", "id": 1},
        {"data": None, "meta": "x", "note": "[1]", "id": 2},
    ]


def test_without_a_mark_all_texts_stay_texts():
    assert values(packed({"data": ["{}"]}, b""), "a.parquet") == [{"data": "{}"}]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not valid JSON"),
        ("", "not valid JSON"),
        ("{} 1", "something follows"),
        ("[NaN]", "NaN is not JSON"),
        ("1e999", "too large"),
        ("[" * 200 + "]" * 200, "nested too deeply"),
    ],
)
def test_a_bad_text_spoils_only_its_row(text, reason):
    found = rows(packed({"data": ["{}", text, "[]"]}), "a.parquet")
    assert [row.value for row in found] == [{"data": {}}, None, {"data": []}]
    assert reason in found[1].error


def test_a_text_longer_than_a_row_is_refused():
    body = packed({"data": ["{}", f'["{"x" * 200}"]']})
    assert [index for index, reason in errors(body, "a.parquet", row_size=100) if "longer than" in reason] == [1]
