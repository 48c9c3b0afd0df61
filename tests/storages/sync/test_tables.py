"""CSV and TSV: columns by header, texts as they are, a bad line reported with its neighbours read."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storages.sync import read
from tests.storages.sync.objects import errors, packed, rows, values

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@settings(max_examples=120, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=6), st.integers(1, 40), st.sampled_from([",", ";", "\t"]), st.booleans())
def test_a_table_gives_what_was_written_however_it_is_cut(lines, step, delimiter, zipped):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("a", "b"), *lines])
    body = b"\xef\xbb\xbf" + text.getvalue().encode()
    name = "t.tsv" if delimiter == "\t" else "t.csv"
    found = rows(packed(body) if zipped else body, name + ".gz" * zipped, step=step)
    assert found == [read.Row(index, {"a": a, "b": b}) for index, (a, b) in enumerate(lines)]


@pytest.mark.parametrize(
    ("name", "body", "wanted"),
    [
        ("t.csv", b"a,b\r\n1,2\r\n", [{"a": "1", "b": "2"}]),
        ("t.csv", b"a;b\n1,5;2\n", [{"a": "1,5", "b": "2"}]),
        ("t.csv", b"a\tb\n1\t2", [{"a": "1", "b": "2"}]),
        ("t.csv", b'"a,x";b\n1;2\n', [{"a,x": "1", "b": "2"}]),
        ("t.csv", b"image\n1\n\n2\n", [{"image": "1"}, {"image": "2"}]),
        ("t.csv", b'a,b\n"x\ny","say ""hi"""\n', [{"a": "x\ny", "b": 'say "hi"'}]),
        ("t.tsv", b"a,x\tb\n1\t2\n", [{"a,x": "1", "b": "2"}]),
        ("t.csv", b"a,b\n", []),
        ("t.csv", "ä,b\nö,日本\n".encode(), [{"ä": "ö", "b": "日本"}]),
        ("t.csv", b'{"a": 1}\n', [{"a": 1}]),
        ("t.csv", b' [{"a": 1},\n{"a": 2}]', [{"a": 1}, {"a": 2}]),
        ("t.tsv", b'{\n"a": 1}', [{"a": 1}]),
        ("t.csv", b"[1, 2]\n", [1, 2]),
        ("t.csv", b"[id],name\n1,2\n", [{"[id]": "1", "name": "2"}]),
        ("t.csv", b"[1],[2]\n1,2\n", [{"[1]": "1", "[2]": "2"}]),
        ("t.tsv", b"{id}\tname\n1\t2\n", [{"{id}": "1", "name": "2"}]),
        ("T.CSV.GZ", packed(b"a,b\n1,2\n"), [{"a": "1", "b": "2"}]),
        ("t.csv", packed(b"a,b\n1,2\n"), [{"a": "1", "b": "2"}]),
    ],
)  # fmt: skip
def test_columns_are_named_by_the_header(name, body, wanted):
    assert values(body, name) == wanted


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"1", "1 values, but the header names 2 columns"),
        (b"1,2,3", "3 values"),
        (b'1,"x"y', "not valid CSV"),
        (b"1,a\0b", "NUL"),
        (b"1,\xff", "not UTF-8"),
        (b"1," + b"x" * 2000, "SYNC_MAX_ROW_MB"),
    ],
)  # fmt: skip
def test_a_bad_line_hides_no_neighbour(line, said):
    found = rows(b"a,b\n0,0\n" + line + b"\n2,2\n", "t.csv", row_size=1024)
    assert [row.value for row in found if not row.error] == [{"a": "0", "b": "0"}, {"a": "2", "b": "2"}]
    assert found[1].index == 1 and said in found[1].error and found[2].index == 2


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"a,b,a\n1,2,3\n", "'a' twice"),
        (b"a,,c\n1,2,3\n", "column 2 without a name"),
        (b",b\n1,2\n", "column 1 without a name"),
        (b"\xffa,b\n1,2\n", "not UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "save the file as UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-8"),
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b'a,"b\n1,2\n', "header line is not valid CSV"),
    ],
)  # fmt: skip
def test_a_header_that_names_no_columns_is_the_objects_fault(body, said):
    [(index, error)] = errors(body, "t.csv")
    assert index == 0 and said in error


def test_a_quote_that_never_closes_takes_no_memory_and_ends_the_table_with_a_reason():
    for body in (b'a,b\n1,2\n3,"' + b"x\n" * 500_000, b"a,b\n1,2\n" + b"x" * 1_000_000, b"a,b\n1,2\n" + b'"y\n",' * 250_000):
        found = rows(body, "t.csv", row_size=100_000)
        assert [bool(row.error) for row in found] == [False, True]
        assert "SYNC_MAX_ROW_MB" in found[1].error and "quote" in found[1].error
    assert "unexpected end" in errors(b'a,b\n1,2\n3,"', "t.csv")[0][1]
