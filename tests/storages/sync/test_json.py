"""Rows of JSON files: every way of being cut into pieces gives the same rows, and a fault stays where it is."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storages.sync import read
from tests.storages.sync.objects import errors, packed, rows, values

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(), VALUES)
BOM = b"\xef\xbb\xbf"
DEEP = b'{"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"


@settings(max_examples=150, deadline=None)
@given(st.lists(VALUES, max_size=6), st.integers(1, 40), st.sampled_from([None, 2]), st.booleans())
def test_an_array_gives_its_elements_however_it_is_cut(items, step, indent, escaped):
    body = json.dumps(items, indent=indent, ensure_ascii=escaped).encode()
    assert rows(body, step=step) == [read.Row(index, value) for index, value in enumerate(items)]


@settings(max_examples=80, deadline=None)
@given(st.lists(OBJECTS, min_size=1, max_size=6), st.integers(1, 40), st.sampled_from([b"\n", b"\r\n", b"\n\n \n"]))
def test_json_lines_give_their_rows_however_they_are_cut(items, step, end):
    body = end.join(json.dumps(item).encode() for item in items)
    found = rows(body, "t.jsonl", step=step)
    assert [row[:4] for row in found] == [(index, value, "", 0) for index, value in enumerate(items)]
    assert found[-1].offset == len(body)


@settings(max_examples=80, deadline=None)
@given(OBJECTS, st.integers(1, 40), st.sampled_from([None, 0, 2]), st.booleans())
def test_an_object_is_one_row_on_one_line_or_several(value, step, indent, marked):
    body = BOM * marked + b" \n" + json.dumps(value, indent=indent).encode() + b"\n"
    assert values(body, step=step) == [value]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(
        [b"", b"{", b'{"a": 1}\n', b"[1,", b"PAR1", b"\x1f\x8b", b"\x1f\x8b\x08", b'a,b\n1,"', BOM, b"\xff\xfe", b'"', b"NaN"]
    ),
    st.binary(max_size=200),
    st.sampled_from(["a", "a.json", "a.csv", "a.tsv", "a.jsonl.gz", "a.parquet"]),
    st.booleans(),
)
def test_arbitrary_bytes_raise_nothing_and_end_in_an_error_or_in_rows(head, tail, name, zipped):
    body = packed(head + tail) if zipped else head + tail
    found = rows(body, name, step=50)
    assert [row.index for row in found] == list(range(len(found)))


@pytest.mark.parametrize(
    ("body", "good", "said"),
    [
        (b'[{"a": 1}, {"a": 2},', 2, "breaks off"),
        (b'[{"a": 1}, {"a": 2}', 2, "file ends inside"),
        (b'[{"a": 1} {"a": 2}]', 1, "'{' stands where , or ] should"),
        (b'[{"a": 1}] junk', 1, "something follows"),
        (b'[{"a": 1}, tru]', 1, "not valid JSON"),
        (b'[{"a": "\xff"}]', 0, "not UTF-8"),
        (b"[]]", 0, "something follows"),
        (b"[1, }, 2]", 1, "breaks off"),
        (b"[1,]", 1, "not valid JSON"),
        (b"[", 0, "not valid JSON"),
        (b"[NaN]", 0, "NaN"),
        (b"[" + DEEP + b"]", 0, "SYNC_MAX_JSON_DEPTH"),
        (DEEP, 0, "nested too deeply: more than 100 levels; SYNC_MAX_JSON_DEPTH"),
        (b'{\n"a": NaN\n}', 0, "NaN"),
        (b'{\n"a": 1,\n"b": tru\n}\n', 0, "not valid JSON"),
        (b'{"a": 1} {"a": 2}', 0, "something follows the value at character 9"),
    ],
)  # fmt: skip
def test_a_fault_is_the_last_row_and_says_what_is_wrong(body, good, said):
    for step in (7, 1 << 20) if len(body) < 1000 else (1 << 18,):
        found = rows(body, step=step)
        assert [bool(row.error) for row in found] == [False] * good + [True]
        assert said in found[-1].error


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": 1e999}', "too large a number"),
        (b'{"a": 1, "b": oops}', "not valid JSON"),
        (b'{"a": "\xe9"}', "not UTF-8"),
        (b'{"a": "\xe9", "b": [1, {"c": "}]"}, oops]}', "not "),
        (b'{"a": ' + b"9" * 5000 + b"}", "more than 4300 digits"),
        (DEEP, "SYNC_MAX_JSON_DEPTH"),
        (b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}", "SYNC_MAX_JSON_DEPTH"),
        (b'{"a": "' + b"x" * 2_000_000 + b'"}', "longer than 1 MiB; SYNC_MAX_ROW_MB"),
        (b'{"a": "[{\\"' + b"x" * 2_000_000 + b'\\\\"}', "SYNC_MAX_ROW_MB"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("form", "step"), [(b"%s\n%s\n%s", 1 << 18), (b"[%s, %s,%s]", 1 << 18), (b"[%s,%s,%s]", 5003)])
def test_a_refused_row_hides_no_neighbour(bad, said, form, step):
    body = form % (b'{"a": 1}', bad, b'{"a": "]"}')
    found = rows(body, step=step, row_size=1 << 20)
    assert [(row.index, row.value) for row in found] == [(0, {"a": 1}), (1, found[1].value), (2, {"a": "]"})]
    assert [bool(row.error) for row in found] == [False, True, False] and said in found[1].error


@pytest.mark.parametrize("bad", [b"oops", b'{"a" 1}', b'"\xe9"', b"'a'", b'{"a": [1,, 2]}', b"", b"\xe9"])
@pytest.mark.parametrize("step", [3, 1 << 20])
def test_an_element_that_is_no_json_is_refused_with_its_number_and_the_rest_is_read(bad, step):
    good = ",".join(json.dumps({"a": "é" + "x" * 30, "n": number}, ensure_ascii=False) for number in range(50)).encode()
    found = rows(b"[" + good + b"," + bad + b"," + good + b"]", step=step)
    assert [row.index for row in found] == list(range(101)) and [row.index for row in found if row.error] == [50]
    assert [row.value["n"] for row in found if not row.error] == [*range(50), *range(50)]


def test_escaped_halves_of_pairs_are_no_bad_bytes():
    assert [row.error for row in rows(b'["\xe9", "\\ud83d\\ude00", "\\ud83d"]')] == [rows(b'["\xe9"]')[0].error, "", ""]


@pytest.mark.parametrize("first", [b"5", b"null", b'"text"', b"oops", b"[]", b"[1]", b"[NaN]", b"\xe9", b"{oops}"])
@pytest.mark.parametrize("name", ["t.jsonl", "t.ndjson", "t.jsonl.gz"])
def test_the_first_line_of_json_lines_may_be_anything(first, name):
    body = first + b'\n{"a": 1}\n{"a": 2}\n'
    found = rows(packed(body) if name.endswith(".gz") else body, name)
    assert [row.value for row in found[1:]] == [{"a": 1}, {"a": 2}]
    assert found[0].error or not isinstance(found[0].value, dict)


@pytest.mark.parametrize("body", [b'[{"a": 1}, {"a": 2}]', b'[{"a": 1},\n{"a": 2}]', b'[\n{"a": 1}, {"a": 2}\n]\n'])
def test_an_array_may_be_named_json_lines(body):
    assert values(body, "t.jsonl") == [{"a": 1}, {"a": 2}]


def test_a_list_that_ends_with_the_first_chunk_is_a_line():
    first = b'["' + b"x" * (256 * 1024 - 5) + b'"]\n'
    assert [type(row.value) for row in rows(first + b'{"a": 1}\n', "t.jsonl", step=1 << 18)] == [list, dict]


def test_a_row_as_deep_or_as_long_as_allowed_is_read():
    brackets = {"a": json.loads("[" * 99 + "]" * 99), "text": "[" * 500}
    assert values(json.dumps(brackets).encode()) == [brackets]
    row = b'{"a": "' + b"x" * 1015 + b'"}'
    assert len(values(row + b"\n" + row, row_size=1024)) == len(values(b"[" + row + b"," + row + b"]", row_size=1024)) == 2
    longer = row.replace(b"x", b"xx", 1)
    assert len(errors(longer + b"\n" + row, row_size=1024)) == len(errors(b"[" + longer + b"]", row_size=1024)) == 1


def test_an_element_that_never_ends_is_not_followed_forever():
    [(index, error)] = errors(b'[{"a": "' + b"x" * 3_000_000 + b'"}, 1]', row_size=1024)
    assert index == 0 and "breaks off" in error and "exceeds" in error


def test_integers_of_any_size_are_kept():
    number = {"a": 123456789012345678901234567890}
    assert values(json.dumps([number, {"a": 1}]).encode()) == [number, {"a": 1}]


def test_an_object_too_long_for_a_row_is_reported_once_and_not_line_by_line():
    body = b'{\n"a": [\n' + b"1,\n" * 10_000 + b"1]}"
    assert errors(body, row_size=1024) == [(0, "the row is longer than 0.0009766 MiB; SYNC_MAX_ROW_MB sets this limit")]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (BOM + b" \r\n", "empty"),
        (b"5", "bare value"),
        (b'"text"', "bare value"),
        (b"null", "bare value"),
        (b"NaN", "NaN"),
        (b"\x89PNG\r\n\0", "Files"),
        ('{"a": 1}'.encode("utf-16"), "UTF-16"),
        ('{"a": 1}'.encode("utf-16-le"), "UTF-16"),
        ('[{"a": 1}]'.encode("utf-16-be"), "UTF-16"),
        (b"plain words", "neither"),
    ],
)  # fmt: skip
def test_what_holds_no_tasks_says_what_to_do(body, said):
    [row] = rows(body)
    assert row.index == 0 and said in row.error and row.whole
    assert rows(packed(body), "t.json.gz") == rows(body, "t.jsonl") == [row]


@pytest.mark.parametrize(
    ("name", "body"),
    [("t.json.gz", packed(b"[1]" * 99)[:12]), ("t.parquet", b"PAR1....PAR0"), ("t.csv", b"a,a\n1,2\n")],
)
def test_what_is_wrong_with_an_object_is_told_from_what_is_wrong_with_its_first_row(name, body):
    assert [(row.index, row.whole) for row in rows(body, name, object_size=50, damaged=True)] == [(0, True)]
    for row, kind in ((b"[NaN]", "t.json"), (b"[", "t.json"), (b'{"a": NaN}', "t.jsonl"), (b"a,b\n1\n", "t.csv")):
        assert [(found.index, found.whole) for found in rows(row, kind)] == [(0, False)]
    assert not rows(packed(b'{"a": 1}\n' * 9)[:-4], "t.jsonl.gz", damaged=True)[-1].whole
