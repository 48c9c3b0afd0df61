"""A Client over bytes in memory that counts what is asked of it: the smallest thing that fulfils the contract."""

from collections.abc import Iterator
from datetime import UTC, datetime

from storages.client import Client, ObjectInfo, ObjectStream, Page, Readable
from storages.errors import NotFound, RangeNotSatisfiable, Unavailable

MODIFIED = datetime(2026, 5, 4, 12, 30, 15, 250_000, UTC)


class Source(Readable):
    """Bytes that may break off: after ``breaks_at`` bytes read() raises, after ``ends_at`` it returns nothing."""

    def __init__(self, data: bytes, owner: "MemoryClient") -> None:
        self.data, self.owner, self.position = data, owner, 0

    def read(self, size: int = -1) -> bytes:
        if self.position >= self.owner.breaks_at:
            raise Unavailable("the upstream broke off")
        stop = len(self.data) if size < 0 else self.position + size
        chunk = self.data[self.position : min(stop, self.owner.breaks_at, self.owner.ends_at)]
        self.position += len(chunk)
        self.owner.largest_read = max(self.owner.largest_read, size)
        return chunk

    def close(self) -> None:
        self.owner.closed += 1


class MemoryClient(Client):
    """``stats``, ``opens`` and ``closed`` count calls; ``largest_read`` is the biggest read asked for, in bytes."""

    scheme, container = "mem", "box"

    def __init__(self, objects: dict[str, bytes], content_type: str = "", etag: str = "v1") -> None:
        self.objects, self.content_type, self.etag = objects, content_type, etag
        self.modified: datetime | None = MODIFIED
        self.stats = self.opens = self.closed = self.largest_read = 0
        self.breaks_at = self.ends_at = 2**63

    def _info(self, key: str) -> ObjectInfo:
        if key not in self.objects:
            raise NotFound(f"{key} does not exist")
        return ObjectInfo(key, len(self.objects[key]), self.modified, self.etag, self.content_type)

    def stat(self, key: str) -> ObjectInfo:
        self.stats += 1
        return self._info(key)

    def open(self, key: str, start: int = 0, end: int | None = None) -> ObjectStream:
        self.opens += 1
        info = self._info(key)
        if start > 0 and start >= info.size:
            raise RangeNotSatisfiable(f"{key} has {info.size} bytes", size=info.size)
        last = info.size - 1 if end is None else min(end, info.size - 1)
        return ObjectStream(info, start, last, Source(self.objects[key][start : last + 1], self))

    def list(self, *, recursive: bool, after: str = "") -> Iterator[Page]:
        yield Page([self._info(key) for key in sorted(self.objects)], "")

    def write(self, key: str, data: bytes, content_type: str = "application/json") -> None:
        self.objects[key] = data

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)
