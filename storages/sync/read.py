"""Turns an object's bytes into rows: JSON object, JSON array, JSON Lines, Parquet; decided by content, streamed.

A row is a parsed value or the reason why it is none; one bad row never hides its neighbours where the format
allows to go on behind it.
"""

import itertools
from collections.abc import Iterator
from typing import Any

from storages.errors import Malformed
from storages.sync import array, parquet
from storages.sync.array import Row

CHUNK = 256 * 1024  # bytes read at a time
LIMIT = 16 * 1024**2  # bytes; a row larger than this is refused, a file may have any size
BOM = b"\xef\xbb\xbf"
EXTENSIONS = ("", ".json", ".jsonl", ".ndjson", ".parquet")


class Source:
    """Bytes with a little look-ahead, over anything that has ``read(n)``."""

    def __init__(self, raw: Any) -> None:
        self.raw, self.head = raw, b""

    def read(self) -> bytes:
        """The next chunk, b"" at the end."""
        data, self.head = self.head, b""
        return data or self.raw.read(CHUNK)

    def first_byte(self) -> bytes:
        """The first byte that is neither BOM nor white space, b"" if there is none; it is not consumed."""
        while True:
            self.head = self.head or self.raw.read(CHUNK)
            if not self.head:
                return b""
            self.head = self.head.removeprefix(BOM).lstrip()
            if self.head:
                return self.head[:1]

    def lines(self) -> Iterator[bytes | None]:
        """Lines that are not blank, without their end; None for one longer than LIMIT, which is not held in memory."""
        parts: list[bytes] = []
        while chunk := self.read():
            *ended, rest = chunk.split(b"\n")
            for piece in ended:
                parts.append(piece)
                yield from _line(parts)
                parts = []
            parts.append(rest)
            if sum(map(len, parts)) > LIMIT:
                parts = [b"x" * (LIMIT + 1)]  # stands for too much, whatever follows
        yield from _line(parts)


def _line(parts: list[bytes]) -> Iterator[bytes | None]:
    line = b"".join(parts)
    if len(line) > LIMIT:
        yield None
    elif line.strip():
        yield line


def rows(raw: Any) -> Iterator[Row]:
    """The rows of an object; a fault that ends the format comes as a last Row with ``error``."""
    if raw.seekable() and raw.peek(4)[:4] == parquet.MAGIC:
        yield from _parquet(raw)
        return
    source = Source(raw)
    first = source.first_byte()
    if first == b"[":
        yield from array.rows(source.read, LIMIT)
    elif first == b"{":
        yield from _objects(source)
    elif not first:
        yield Row(0, error="the file is empty; it should hold a JSON object, a JSON array, JSON Lines or Parquet")
    else:
        yield Row(
            0,
            error="neither a JSON object, a JSON array, JSON Lines in UTF-8 nor Parquet; to label the file itself, "
            'set the import method to "Files" (use_blob_urls=true), or narrow the file name filter',
        )


def _parquet(raw: Any) -> Iterator[Row]:
    group = index = 0
    try:
        for group, index, value in parquet.rows(raw):
            yield Row(index, value, group=group)
            index += 1
    except Malformed as error:
        yield Row(index, error=str(error), group=group)


def _objects(source: Source) -> Iterator[Row]:
    """JSON Lines if the first line is a value of its own, else one object over several lines."""
    lines = source.lines()
    first = next(lines)
    row = _parse(0, first)
    if row.error and first is not None:
        held, size = [first], len(first)
        for line in lines:
            held.append(line)
            size += len(line or b"")
            if line is None or size > LIMIT:
                break
        else:
            if not (single := _parse(0, b"\n".join(held))).error or len(held) == 1:
                yield single
                return
        lines = itertools.chain(held[1:], lines)
    yield row
    for index, line in enumerate(lines, 1):
        yield _parse(index, line)


def _parse(index: int, text: bytes | None) -> Row:
    if text is None:
        return Row(index, error=f"the row is longer than {LIMIT // 1024**2} MiB")
    try:
        return Row(index, array.DECODER.decode(text.decode("utf-8")))
    except (ValueError, RecursionError) as error:
        return Row(index, error=array.reason(error))
