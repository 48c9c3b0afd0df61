"""CSV and TSV with a header line, streamed (RFC 4180; TSV with the same quoting). Values stay texts. Knows no storage."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator

from storages.errors import Malformed
from storages.sync.row import Limits, Mark, Row
from storages.sync.source import CHUNK, Source

SNIFFED = 64 * 1024  # bytes that the delimiter is looked for in
QUOTED = re.compile(rb'"[^"]*"')
OBJECT = re.compile(rb'\s*(\[\s*)?\{\s*("([^"\\]|\\.)*"\s*:|\})')  # how an object begins, or an array of them
_row = tuple.__new__  # a NamedTuple's own constructor takes twice the time

csv.field_size_limit(2**31 - 1)  # one number for the whole process; _Feed bounds each row by the limit of its own run


class _Feed(io.BufferedIOBase):
    """A source as the binary file below a text file; notices a row that does not end, and bytes that need a closer look."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self.source, self.limits = source, limits
        self.open = 0  # bytes read since the last row ended
        self.odd = False  # NUL or something beyond ASCII was seen

    def readable(self) -> bool:
        return True

    def read1(self, size: int = -1) -> bytes:
        """The next chunk, whatever ``size``. Raises Malformed for a row without end."""
        if self.open > self.limits.row_size:
            raise Malformed(f"{self.limits.row_refusal} (is a quote never closed?)")
        data = self.source.read()
        self.open += len(data)
        self.odd = self.odd or not data.isascii() or b"\0" in data
        return data


def rows(source: Source, limits: Limits, mark: Mark, *, tabs: bool) -> Iterator[Row]:
    """The rows below the header from ``mark`` on as objects of texts; ``tabs``: TSV, else the header shows the delimiter.

    A row of another length than the header is an error of its own; a header that names no columns is the object's.
    """
    delimiter = "\t" if tabs else sniffed(source.peek(SNIFFED))
    feed = _Feed(source, limits)
    # what is no UTF-8 becomes lone surrogates, which no valid text holds: such a row is refused, its neighbours are read
    text = io.TextIOWrapper(feed, encoding="utf-8", errors="surrogateescape", newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    header = _header(reader, feed)
    width, index = len(header), 0
    suspect = limits.row_size - CHUNK  # a row's first bytes may have been read before the row above it ended
    while True:
        try:
            for values in reader:
                if not values:
                    continue  # a blank line
                if index >= mark.index:
                    if len(values) != width or feed.odd or feed.open >= suspect:
                        yield _checked(index, header, values, limits)
                    else:
                        yield _row(Row, (index, dict(zip(header, values, strict=True)), "", 0, 0, False))
                feed.open = 0
                index += 1
            return
        except csv.Error as error:
            if index >= mark.index:
                yield Row(index, error=f"line {reader.line_num} is not valid CSV: {error}")
            feed.open = 0
            index += 1


def is_header(head: bytes) -> bool:
    """Whether an object that begins with ``head`` is a table, not JSON: column names may begin with a bracket, too."""
    if head.lstrip()[:1] not in (b"[", b"{"):
        return True
    if OBJECT.match(head):
        return False
    text = head.decode("utf-8", errors="replace").lstrip()
    try:
        end = json.JSONDecoder().raw_decode(text)[1]
    except (ValueError, RecursionError):
        return True
    return text[end:].lstrip(" \t\r")[:1] not in ("", "\n")


def sniffed(head: bytes) -> str:
    """The delimiter of a header line: the one of comma, semicolon and tab that stands most often outside of quotes."""
    line = b"".join(QUOTED.sub(b"", head.lstrip(b"\r\n")).splitlines()[:1])
    return max(",;\t", key=lambda sign: line.count(sign.encode()))


def _header(reader: Iterator[list[str]], feed: _Feed) -> list[str]:
    """The column names. Raises Malformed."""
    try:
        header = next((values for values in reader if values), [])
    except csv.Error as error:
        raise Malformed(f"the header line is not valid CSV: {error}") from None
    feed.open = 0
    if message := _unreadable(header):
        raise Malformed(f"the header line {message}; save the file as UTF-8 text")
    if not all(name.strip() for name in header):
        raise Malformed(f"the header leaves column {[not name.strip() for name in header].index(True) + 1} without a name")
    if twice := [name for name, count in Counter(header).items() if count > 1]:
        raise Malformed(f"the header names {twice[0][:80]!r} twice; give each column a name of its own")
    return header


def _checked(index: int, header: list[str], values: list[str], limits: Limits) -> Row:
    """A row that may be at fault."""
    if sum(map(len, values)) > limits.row_size:
        return Row(index, error=limits.row_refusal)
    if len(values) != len(header):
        return Row(index, error=f"{len(values)} values, but the header names {len(header)} columns")
    if message := _unreadable(values):
        return Row(index, error=f"the row {message}")
    return Row(index, dict(zip(header, values, strict=True)))


def _unreadable(values: list[str]) -> str:
    text = "".join(values)
    if "\0" in text:
        return "holds a NUL character (is it UTF-16 or a binary file?)"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "is not UTF-8"
    return ""
