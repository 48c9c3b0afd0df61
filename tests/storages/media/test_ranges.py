"""Byte ranges against a table from RFC 9110 §14 and a brute-force model."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storages.media.ranges import Part, Unsatisfiable, Whole, fixed, select

CAP = 8

TABLE = [
    # header, size, selection
    (None, 100, Whole()),
    ("", 100, Whole()),
    ("bytes=0-0", 100, Part(0, 0)),
    ("bytes=99-99", 100, Part(99, 99)),
    ("bytes=2-5", 100, Part(2, 5)),
    ("bytes=0-", 100, Part(0, 7)),
    ("bytes=0-", 5, Part(0, 4)),
    ("bytes=0-", 8, Part(0, 7)),
    ("bytes=0-", 9, Part(0, 7)),
    ("bytes=0-8", 100, Part(0, 7)),
    ("bytes=0-7", 100, Part(0, 7)),
    ("bytes=90-", 100, Part(90, 97)),
    ("bytes=95-", 100, Part(95, 99)),
    ("bytes=95-400", 100, Part(95, 99)),
    ("bytes=10-99", 100, Part(10, 17)),
    ("bytes=-3", 100, Part(97, 99)),
    ("bytes=-1", 1, Part(0, 0)),
    ("bytes=-50", 100, Part(50, 57)),
    ("bytes=-500", 5, Part(0, 4)),
    ("bytes=99999999999999999999999-", 100, Unsatisfiable()),
    ("bytes=100-", 100, Unsatisfiable()),
    ("bytes=100-200", 100, Unsatisfiable()),
    ("bytes=-0", 100, Unsatisfiable()),
    ("bytes=-00", 100, Unsatisfiable()),
    ("bytes=0-", 0, Unsatisfiable()),
    ("bytes=0-0", 0, Unsatisfiable()),
    ("bytes=-5", 0, Whole()),
    ("Bytes=2-5", 100, Part(2, 5)),
    ("bytes= 2-5 ", 100, Part(2, 5)),
    ("bytes=5-2", 100, Whole()),
    ("bytes=0-1,4-5", 100, Whole()),
    ("bytes=-1,-2", 100, Whole()),
    ("items=2-5", 100, Whole()),
    ("2-5", 100, Whole()),
    ("bytes", 100, Whole()),
    ("bytes=", 100, Whole()),
    ("bytes=-", 100, Whole()),
    ("bytes=--5", 100, Whole()),
    ("bytes=a-b", 100, Whole()),
    ("bytes=1.5-3", 100, Whole()),
    ("bytes=+2-5", 100, Whole()),
    ("bytes=2_0-50", 100, Whole()),
    ("bytes=٢-5", 100, Whole()),
    ("bytes=0x2-5", 100, Whole()),
    ("bytes=" + "9" * 5000 + "-", 100, Whole()),
    ("\x00", 100, Whole()),
]


@pytest.mark.parametrize(("header", "size", "selection"), TABLE)
def test_a_range_header_selects_what_rfc_9110_says(header, size, selection):
    assert select(header, size, CAP) == selection


def model(header: str, size: int, cap: int) -> list[int] | None:
    """The selected offsets, one by one; None for the whole object, [] where there is nothing to send."""
    parts = re.fullmatch(r"bytes=(\d*)-(\d*)", header)
    if not parts or parts.groups() == ("", ""):
        return None
    first, last = parts.groups()
    if first and last and int(last) < int(first):
        return None
    if not first:
        return None if size == 0 and int(last) > 0 else [i for i in range(size) if i >= size - int(last)][:cap]
    return [i for i in range(size) if i >= int(first) and (not last or i <= int(last))][:cap]


number = st.integers(0, 60).map(str) | st.just("")


@given(first=number, last=number, size=st.integers(0, 50), cap=st.integers(1, 20))
def test_every_single_range_selects_the_bytes_of_the_brute_force_model(first, last, size, cap):
    header = f"bytes={first}-{last}"
    selection = select(header, size, cap)
    wanted = model(header, size, cap)
    if wanted is None:
        assert selection == Whole()
    elif not wanted:
        assert selection == Unsatisfiable()
    else:
        assert selection == Part(wanted[0], wanted[-1])


@given(first=number, last=number, size=st.integers(0, 50), cap=st.integers(1, 20))
def test_offsets_known_without_the_size_are_those_selected_with_it(first, last, size, cap):
    header = f"bytes={first}-{last}"
    if (known := fixed(header, cap)) is None:
        assert not first or (last and int(last) < int(first))
    elif known[0] < size:
        assert select(header, size, cap) == Part(known[0], min(known[1], size - 1))
    else:
        assert select(header, size, cap) == Unsatisfiable()


@given(header=st.text() | st.text("bytes=-,0123456789 ").map(lambda text: "bytes=" + text), size=st.integers(0, 2**70))
def test_no_header_breaks_the_selection_or_leaves_the_object(header, size):
    selection = select(header, size, CAP)
    if isinstance(selection, Part):
        assert 0 <= selection.start <= selection.end < size
        assert selection.end - selection.start < CAP
