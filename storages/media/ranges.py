"""Which bytes a Range header selects (RFC 9110 §14); pure numbers, knows no request and no storage.

A header that cannot be honoured as one byte range is ignored, as §14.2 allows, and the whole object is the answer.
"""

import re
from dataclasses import dataclass

from werkzeug.http import parse_range_header

LARGEST = 2**53  # bytes, 8 PiB: far above the largest object of any storage, and exact in every number format
NO_BYTES = re.compile(r"\s*bytes\s*=\s*-0+\s*", re.IGNORECASE)  # valid but never satisfiable, §14.1.2


@dataclass(frozen=True)
class Whole:
    """The whole object, status 200; never capped."""


@dataclass(frozen=True)
class Part:
    """Bytes ``start``..``end``, both inclusive, status 206."""

    start: int
    end: int


@dataclass(frozen=True)
class Unsatisfiable:
    """Status 416."""


Selection = Whole | Part | Unsatisfiable


def select(header: str | None, size: int, cap: int) -> Selection:
    """What ``header`` selects of an object of ``size`` bytes; a Part holds at most ``cap`` bytes, its first ones.

    A suffix range over an empty object is satisfiable (§14.1.2) but no Content-Range can express it: Whole.
    """
    if header and NO_BYTES.fullmatch(header):
        return Unsatisfiable()
    if (parsed := _single(header)) is None:
        return Whole()
    start, stop = parsed
    if start < 0:
        if not size:
            return Whole()
        start = max(size + start, 0)
    if start >= size:
        return Unsatisfiable()
    return Part(start, min(size if stop is None else stop, size, start + cap) - 1)


def fixed(header: str | None, cap: int) -> tuple[int, int] | None:
    """First and last byte that ``header`` asks for whatever the object's size is, so that no size need be looked up first.

    The last byte is capped but may lie behind the object's end. None for a suffix range, where ``select`` says Whole,
    and for a first byte that no object has and that not every storage can be asked for.
    """
    parsed = _single(header)
    if parsed is None or not 0 <= parsed[0] < LARGEST:
        return None
    start, stop = parsed
    return start, (start + cap if stop is None else min(stop, start + cap)) - 1


def _single(header: str | None) -> tuple[int, int | None] | None:
    """(start, stop) of a single well-formed byte range, stop exclusive and None if open; start is negative for a suffix."""
    parsed = parse_range_header(header)
    if parsed is None or parsed.units != "bytes" or len(parsed.ranges) != 1:
        return None
    return parsed.ranges[0]
