"""Objects in memory behind the client contract: streamed in small pieces, counted, replaced, cut off."""

import gzip
import io
from collections.abc import Iterator
from typing import Any

from storages.client import Client, ObjectInfo, ObjectStream, Page, Readable
from storages.errors import NotFound, RangeNotSatisfiable, Unavailable
from storages.sync import read


class Pieces(Readable):
    """At most ``step`` bytes a read, like a slow connection."""

    def __init__(self, store: "Store", body: bytes) -> None:
        self.store, self.raw = store, io.BytesIO(body)
        store.unclosed += 1

    def read(self, size: int = -1) -> bytes:
        if self.raw.tell() >= self.store.cut:
            raise Unavailable("the connection broke off")
        data = self.raw.read(self.store.step if size < 0 else min(size, self.store.step))
        self.store.sent += len(data)
        return data

    def close(self) -> None:
        self.store.unclosed -= not self.raw.closed
        self.raw.close()


class Store(Client):
    """``opened``: (start, end) of each request; ``sent``: bytes that were read; ``unclosed``: streams still open."""

    scheme, container = "mem", "box"

    def __init__(self, objects: dict[str, bytes], step: int = 1 << 20) -> None:
        self.objects, self.step, self.etag = dict(objects), step, "1"
        self.opened: list[tuple[int, int | None]] = []
        self.sent = self.unclosed = 0
        self.cut = float("inf")  # bytes after which a connection breaks off

    def list(self, *, recursive: bool, after: str = "") -> Iterator[Page]:
        yield Page([self.stat(key) for key in sorted(self.objects)], "")

    def stat(self, key: str) -> ObjectInfo:
        if key not in self.objects:
            raise NotFound(key)
        return ObjectInfo(key, len(self.objects[key]), None, self.etag)

    def open(self, key: str, start: int = 0, end: int | None = None) -> ObjectStream:
        info = self.stat(key)
        if start and start >= info.size:
            raise RangeNotSatisfiable(key, size=info.size)
        last = info.size - 1 if end is None else min(end, info.size - 1)
        self.opened.append((start, end))
        return ObjectStream(info, start, last, Pieces(self, self.objects[key][start : last + 1]))

    def write(self, key: str, data: bytes, content_type: str = "application/json") -> None:
        self.objects[key] = data

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)


def rows(
    body: bytes, name: str = "t.json", *, step: int = 1 << 20, mark: read.Mark = read.START, damaged: bool = False, **limits: int
) -> list[read.Row]:
    """What an object of that name and body gives, streamed; checks that it is the same when the body is in hand, and closed.

    ``damaged``: how many rows come before the damage is found depends on the pieces.
    """
    store = Store({name: body}, step)
    given = read.Limits(**limits)
    found = list(read.rows(store, store.stat(name), given, mark=mark))
    assert store.unclosed == 0
    again = list(read.rows(store, store.stat(name), given, body=body, mark=mark))
    assert found == again or (damaged and again[-1].error == found[-1].error)
    return found


def values(body: bytes, name: str = "t.json", **options: Any) -> list[Any]:
    """The values of an object without any fault."""
    found = rows(body, name, **options)
    assert not [row.error for row in found if row.error]
    return [row.value for row in found]


def errors(body: bytes, name: str = "t.json", **options: Any) -> list[tuple[int, str]]:
    """(row, reason) of each refused row."""
    return [(row.index, row.error) for row in rows(body, name, **options) if row.error]


def packed(body: bytes, members: int = 1) -> bytes:
    """gzip of ``body``, in some members."""
    size = len(body) // members + 1
    return b"".join(gzip.compress(body[at : at + size], mtime=0) for at in range(0, max(len(body), 1), size))
