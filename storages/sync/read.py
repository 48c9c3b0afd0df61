"""Turns an object's bytes into rows: JSON object, JSON array, JSON Lines, Parquet; decided by content, streamed.

A row is a parsed value or the reason why it is none; one bad row never hides its neighbours where the format
allows to go on behind it.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import ijson

from storages.errors import Malformed
from storages.sync import parquet

CHUNK = 256 * 1024  # bytes read at a time
OBJECT_LIMIT = 64 * 1024**2  # bytes; a single JSON object larger than this is refused, rows of JSONL are not limited so
BOM = b"\xef\xbb\xbf"
EXTENSIONS = ("", ".json", ".jsonl", ".ndjson", ".parquet")


class Row(NamedTuple):
    """``index`` counts rows from 0 (inside ``group`` for Parquet), blank lines left out; ``error`` says why there is no value."""

    index: int
    value: Any = None
    error: str = ""
    group: int = 0


class Source:
    """Bytes with a little look-ahead, over anything that has ``read(n)``."""

    def __init__(self, raw: Any) -> None:
        self.raw, self.head = raw, b""

    def read(self, size: int = -1) -> bytes:
        if self.head:
            wanted = len(self.head) if size < 0 else size
            data, self.head = self.head[:wanted], self.head[wanted:]
            return data + (self.raw.read(-1) if size < 0 else b"")
        return self.raw.read(size)

    def first_byte(self) -> bytes:
        """The first byte that is neither BOM nor white space, b"" if there is none; it is not consumed."""
        while True:
            self.head = self.head or self.raw.read(CHUNK)
            if not self.head:
                return b""
            self.head = self.head.removeprefix(BOM).lstrip()
            if self.head:
                return self.head[:1]

    def lines(self) -> Iterator[bytes]:
        """Lines without their end; memory holds one line and one chunk."""
        rest = b""
        while chunk := self.read(CHUNK):
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
        if rest:
            yield rest


def rows(raw: Any) -> Iterator[Row]:
    """The rows of an object; a fault that ends the format comes as a last Row with ``error``."""
    if raw.seekable() and raw.peek(4)[:4] == parquet.MAGIC:
        yield from _parquet(raw)
        return
    source = Source(raw)
    first = source.first_byte()
    if first == b"[":
        yield from _array(source)
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


def _array(source: Source) -> Iterator[Row]:
    index = 0
    try:
        for value in ijson.items(source, "item", use_float=True):
            yield Row(index, value)
            index += 1
    except (ijson.JSONError, UnicodeDecodeError, OverflowError, ValueError) as error:
        yield Row(index, error=f"the JSON array breaks off here: {_brief(error)}")


def _objects(source: Source) -> Iterator[Row]:
    """JSON Lines if the first line is a value of its own, else one object over several lines."""
    lines = (line for line in source.lines() if line.strip())
    first = next(lines)
    row = _parse(0, first)
    if row.error:
        whole = bytearray(first)
        kept = [first]
        for line in lines:
            kept.append(line)
            whole += b"\n" + line
            if len(whole) > OBJECT_LIMIT:
                break
        else:
            if not (single := _parse(0, bytes(whole))).error or len(kept) == 1:
                yield single
                return
        del whole
        lines = (line for part in (kept[1:], lines) for line in part)
    yield row
    for index, line in enumerate(lines, 1):
        yield _parse(index, line)


def _parse(index: int, text: bytes) -> Row:
    try:
        return Row(index, json.loads(text.decode("utf-8"), parse_constant=_refuse_constant))
    except UnicodeDecodeError:
        return Row(index, error="not UTF-8")
    except RecursionError:
        return Row(index, error="nested too deeply")
    except ValueError as error:
        return Row(index, error=f"not valid JSON: {_brief(error)}")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _brief(error: Exception) -> str:
    text = error.args[0] if error.args else type(error).__name__
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(error)
    return text.splitlines()[0][:200]
