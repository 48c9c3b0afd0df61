"""Turns an object into rows: JSON, JSON Lines, CSV, TSV, Parquet, each also in gzip; decided by content, then by name; streamed.

A row is a parsed value or the reason why it is none; one bad row never hides its neighbours where the format
allows to go on behind it.
"""

import io
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from storages.client import Client, ObjectInfo
from storages.errors import Malformed
from storages.sync import array, footer, inflate, lines, parquet, ranged, table
from storages.sync.advice import LINES, TABLES, UTF_16, extension, nothing_in, refusal
from storages.sync.row import MIB, START, Limits, Mark, Row, mib
from storages.sync.source import Source

__all__ = ["START", "Limits", "Mark", "Row", "refusal", "rows"]
LOOK = 4096  # bytes that an object without a known beginning is judged by
SPOOL_MEMORY, SPOOL = 8 * MIB, 1024 * MIB  # bytes of Parquet in gzip that are held in memory, and on disk


def rows(client: Client, item: ObjectInfo, limits: Limits, *, body: bytes | None = None, mark: Mark = START) -> Iterator[Row]:
    """The rows of an object from ``mark`` on; ``body``: the whole object, if it was fetched already.

    A fault of the format is the last Row. Raises StorageError when the object cannot be read; closing the iterator
    closes the connection.
    """
    size = item.size if body is None else len(body)
    if mark.offset > size:  # it was replaced by a shorter one
        mark = mark._replace(offset=0)
    if mark.offset and mark.offset == size:
        return
    last = Row(mark.index - 1, group=mark.group)
    reading = _Reading(client, item, limits, body, mark)
    with reading.stack:
        try:
            for last in reading.rows():
                yield last
        except Malformed as error:
            yield Row(last.index + 1, error=str(error), group=last.group, whole=mark == START and last.index < 0)


class _Reading:
    """One object on its way, until ``stack`` closes it."""

    def __init__(self, client: Client, item: ObjectInfo, limits: Limits, body: bytes | None, mark: Mark) -> None:
        self.client, self.limits, self.body, self.mark = client, limits, body, mark
        self.stack, self.info = ExitStack(), item
        if body is None:
            self.stream = self.stack.enter_context(client.open(item.key, mark.offset))
            self.info = self.stream.info
        pull = self.stream.read if body is None else io.BytesIO(body[mark.offset :]).read
        self.source = Source(pull, mark.offset)

    def rows(self) -> Iterator[Row]:
        """Raises Malformed for what ends the format, StorageError."""
        if self.body is None and (message := refusal(self.info.key, self.info.size, self.limits)):  # it grew since it was listed
            raise Malformed(message)
        if self.mark.offset:  # only JSON Lines can be entered in the middle
            return lines.rows(self.source, self.limits, self.mark)
        head = self.source.peek(4)
        if head.startswith(footer.MAGIC):
            return parquet.rows(self._seekable(), self.limits, self.mark)
        if head.startswith(inflate.MAGIC):
            return self._unpacked()
        return self._texts(self.source)

    def _texts(self, source: Source, *, packed: bool = False) -> Iterator[Row]:
        source.skip_bom()
        kind = extension(self.info.key)
        if kind in TABLES and (head := source.peek(LOOK)[:LOOK]).strip() and table.is_header(head):
            return table.rows(source, self.limits, self.mark, tabs=kind == ".tsv")
        first = source.skip_blanks()
        if not first or b"\0" in (head := source.peek(4)[:4]) or head.startswith(UTF_16):
            raise Malformed(nothing_in(source.peek(LOOK)))
        if first == b"[" and (kind not in LINES or lines.is_array(source, self.limits)):
            return array.rows(source.read, self.limits, self.mark)
        if first == b"{" or kind in LINES:
            return lines.rows(source, self.limits, self.mark, packed=packed)
        raise Malformed(nothing_in(source.peek(LOOK)))

    def _unpacked(self) -> Iterator[Row]:
        source = Source(inflate.Inflate(self.source.read, self.limits).read)
        head = source.peek(4)
        if head.startswith(inflate.MAGIC):
            raise Malformed("compressed twice; unpack it once")
        if head.startswith(footer.MAGIC):
            return parquet.rows(self._spooled(source), self.limits, self.mark)
        return self._texts(source, packed=True)

    def _seekable(self) -> Any:
        if self.body is not None:
            return io.BytesIO(self.body)
        self.stream.close()
        return self.stack.enter_context(ranged.opened(self.client, self.info))

    def _spooled(self, source: Source) -> Any:
        """Parquet in gzip, unpacked: it is read from its end. Parquet packs its columns itself, so this is rare and small."""
        file = self.stack.enter_context(tempfile.SpooledTemporaryFile(SPOOL_MEMORY))
        while chunk := source.read():
            file.write(chunk)
            if file.tell() > SPOOL:
                raise Malformed(f"Parquet in gzip of more than {mib(SPOOL)}; store it without gzip, it packs its columns itself")
        return file
