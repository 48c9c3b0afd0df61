"""JSON Lines, or one JSON object over several lines: told apart by whether the first line is a value of its own.

Knows neither storage nor compression. JSON Lines can be entered at the byte where a row begins.
"""

import io
import itertools
from collections.abc import Iterator

from storages.errors import Malformed
from storages.sync.advice import nothing_in
from storages.sync.jsontext import Parser
from storages.sync.row import Limits, Mark, Row
from storages.sync.source import CHUNK, Source

Line = tuple[bytes | None, int]  # without its end, None if longer than a row may be; the offset behind it
BLANKS = " \t\r\n"  # RFC 8259 §2
_row = tuple.__new__  # a NamedTuple's own constructor takes twice the time


def rows(source: Source, limits: Limits, mark: Mark, *, packed: bool = False) -> Iterator[Row]:
    """The rows from ``mark`` on; a source that was opened at ``mark.offset`` holds nothing but further lines.

    ``packed``: the source's offsets are none of the object, so that rows give none.
    """
    parser = Parser(limits)
    if not mark.offset and (single := _single(parser, source)):
        yield from [single] if not mark.index else []
        return
    lines = split(source, limits.row_size)
    if not mark.offset:
        lines = itertools.islice(lines, mark.index, None)
    for index, line in enumerate(lines, mark.index):
        yield _parse(parser, index, (line[0], 0) if packed else line)


def split(source: Source, limit: int) -> Iterator[Line]:
    """Lines that are not blank. One longer than ``limit`` bytes is not held in memory."""
    parts: list[bytes] = []  # of the line whose end was not seen yet
    size, at = 0, source.offset  # that line's length so far, and where it begins
    while chunk := source.read():
        *ended, last = chunk.split(b"\n")
        for piece in ended:
            size += len(piece)
            at += size + 1
            line = _joined(parts, piece, size, limit)
            parts, size = [], 0
            if line is None or (line and not line.isspace()):
                yield line, at
        size += len(last)
        parts = [*parts, last] if size <= limit else []
    line = _joined(parts, b"", size, limit)
    if line is None or (line and not line.isspace()):
        yield line, at + size


def _joined(parts: list[bytes], piece: bytes, size: int, limit: int) -> bytes | None:
    if size > limit:
        return None
    return b"".join([*parts, piece]) if parts else piece


def _single(parser: Parser, source: Source) -> Row | None:
    """The row of an object over several lines, or why it is none; None for JSON Lines. Consumes nothing.

    What holds no line that is an object of its own is one value: its fault is said once, not for each of its lines.
    Raises Malformed for one that begins like none.
    """
    limit = parser.limits.row_size
    head = source.peek(CHUNK)
    if b"\n" not in head:
        head = source.peek(limit + 1)
    first = head.split(b"\n", 1)[0]
    if len(first) > limit or _complete(parser, first):
        return None
    body = source.peek(limit + 1)
    if source.failure:
        raise source.failure  # of which kind the object is remains open
    single = _parse(parser, 0, (body if len(body) <= limit else None, 0))
    if body[:1] == b"[" or (single.error and any(_complete(parser, line) for line in io.BytesIO(body))):
        return None
    if body[:1] != b"{":
        raise Malformed(nothing_in(body))
    return single


def is_array(source: Source, limits: Limits) -> bool:
    """Whether what begins with "[" is an array over several lines, or all there is, not a line that holds a list."""
    head = source.peek(CHUNK)
    if b"\n" not in head:
        head = source.peek(limits.row_size + 1)
    first = head.split(b"\n", 1)[0]
    alone = not source.peek(len(first) + CHUNK)[len(first) :].strip()
    return alone or not _complete(Parser(limits), first, b"[")


def _complete(parser: Parser, line: bytes, opening: bytes = b"{") -> bool:
    """Whether the line holds one whole JSON object (array), if only one that is refused."""
    if line.lstrip()[:1] != opening:
        return False
    try:
        text = line.decode("utf-8").strip(BLANKS)
        return parser.scan(text, 0)[1] == len(text)
    except (ValueError, RecursionError):
        return False


def _parse(parser: Parser, index: int, line: Line) -> Row:
    """The row of a text that should be a single JSON value."""
    body, offset = line
    if body is None:
        return Row(index, error=parser.limits.row_refusal, offset=offset)
    try:
        text = body.decode("utf-8")
        start = 0 if text[0] == "{" else len(text) - len(text.lstrip(BLANKS))
        value, end = parser.scan(text, start)
        if end != len(text) and text[end:].strip(BLANKS):
            error = f"not valid JSON: something follows the value at character {end + 1}"
        else:
            error = parser.fault(value, text, start, end)
    except (ValueError, RecursionError) as failure:
        error = parser.reason(failure)
    return Row(index, error=error, offset=offset) if error else _row(Row, (index, value, "", 0, offset, False))
