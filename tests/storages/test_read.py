"""Rows of task files: every way of being cut into chunks gives the same rows, and no file takes the memory of its size."""

import io
import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storages.sync import read

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


class Drip(io.RawIOBase):
    """Gives at most ``step`` bytes a read, like a slow connection."""

    def __init__(self, body: bytes, step: int) -> None:
        self.body, self.step = io.BytesIO(body), step

    def read(self, size: int = -1) -> bytes:
        return self.body.read(self.step)

    def seekable(self) -> bool:
        return False


def rows(body: bytes, step: int = 1 << 20) -> list[read.Row]:
    return list(read.rows(Drip(body, step)))


@settings(max_examples=150, deadline=None)
@given(st.lists(VALUES, max_size=6), st.integers(1, 40), st.sampled_from([None, 2]), st.booleans())
def test_an_array_gives_its_elements_however_it_is_cut(values, step, indent, escaped):
    body = json.dumps(values, indent=indent, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    try:
        body.decode()
    except UnicodeDecodeError:
        return
    assert rows(body, step) == [read.Row(index, value) for index, value in enumerate(values)]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.dictionaries(st.text(), VALUES), min_size=1, max_size=6), st.integers(1, 40))
def test_json_lines_give_their_rows_however_they_are_cut(values, step):
    body = "\n".join(map(json.dumps, values)).encode()
    assert rows(body, step) == [read.Row(index, value) for index, value in enumerate(values)]


@pytest.mark.parametrize(
    ("body", "good", "said"),
    [
        (b'[{"a": 1}, {"a": 2},', 2, "breaks off"),
        (b'[{"a": 1} {"a": 2}]', 1, "'{' stands where , or ] should"),
        (b'[{"a": 1}] junk', 1, "something follows"),
        (b'[{"a": 1}, tru]', 1, "not valid JSON"),
        (b'[{"a": "\xff"}]', 0, "not UTF-8"),
        (b"[NaN]", 0, "NaN"),
        (b'[{"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}]", 0, "nested too deeply"),
        (b'{"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", 0, "nested too deeply"),
        (b'[{"a": "' + b"x" * (17 << 20) + b'"}]', 0, "longer than 16 MiB"),
        (b'{"a": "' + b"x" * (17 << 20) + b'"}', 0, "longer than 16 MiB"),
        (b"[,]", 0, "not valid JSON"),
        (b"[1,]", 1, "not valid JSON"),
        (b"[", 0, "not valid JSON"),
    ],
)  # fmt: skip
def test_a_fault_is_the_last_row_and_says_what_is_wrong(body, good, said):
    for step in (7, 1 << 20) if len(body) < 1000 else (1 << 18,):
        found = rows(body, step)
        assert [bool(row.error) for row in found] == [False] * good + [True]
        assert said in found[-1].error


def test_a_row_that_is_too_long_or_too_large_a_number_hides_no_neighbour():
    body = b'{"a": 1}\n{"a": "' + b"x" * (17 << 20) + b'"}\n{"a": 3}\n'
    assert [bool(row.error) for row in rows(body, 1 << 18)] == [False, True, False]
    assert [row.value for row in rows(b'[{"a": 123456789012345678901234567890}, {"a": 1}]')] == [
        {"a": 123456789012345678901234567890},
        {"a": 1},
    ]


@pytest.mark.parametrize("kind", ["array", "lines"])
def test_a_file_of_any_size_is_read_in_the_memory_of_a_few_rows(kind):
    unit = json.dumps({"image": "x" * 200}).encode()
    body = b"[" + b",".join([unit] * 200_000) + b"]" if kind == "array" else b"\n".join([unit] * 200_000)
    tracemalloc.start()
    assert sum(1 for row in read.rows(Drip(body, 1 << 18)) if not row.error) == 200_000
    assert tracemalloc.get_traced_memory()[1] < 8 << 20, "bytes at most, for a file of 43 MB"
    tracemalloc.stop()
