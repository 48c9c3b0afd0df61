"""What storages tell of their objects, and the open object: plain values, the same for every backend. Knows no client."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple


class ObjectInfo(NamedTuple):
    """What a listing or a stat tells of an object. ``etag`` is "" where the backend has none.

    ``encoding``: the Content-Encoding it is stored with, as the backend says it; ``size`` counts the encoded bytes.
    """

    key: str
    size: int
    modified: datetime | None
    etag: str = ""
    content_type: str = ""
    encoding: str = ""


class Page(NamedTuple):
    """Some objects in the backend's order; ``cursor`` resumes the listing behind them ("" at the end).

    ``markers``: keys that stand for folders and were left out, where the backend lists such.
    """

    objects: list[ObjectInfo]
    cursor: str
    markers: Sequence[str] = ()


class Span(NamedTuple):
    """The part of a storage with ``low`` < key <= ``high`` under ``folder``; "" leaves an end open, or means the root.

    Keys compare by their UTF-8 bytes, which is how str compares; ``folder`` is a full key that ends in "/".
    """

    low: str = ""
    high: str = ""
    folder: str = ""


EVERYTHING = Span()


@dataclass
class ObjectStream:
    """An open object: iterate for chunks of bytes, or ``read(n)``; a context manager that closes the upstream.

    ``info`` describes the whole object; ``start``/``end`` are the inclusive offsets of the bytes that follow
    (``end`` is ``start - 1`` for an empty object).
    """

    info: ObjectInfo
    start: int
    end: int
    raw: "Readable" = field(repr=False)

    @property
    def length(self) -> int:
        return self.end - self.start + 1

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes (all the rest if negative); b"" at the end. Raises Unavailable if cut short."""
        return self.raw.read(size)

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.raw.close()

    def __enter__(self) -> "ObjectStream":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Readable(ABC):
    """The byte source inside an ObjectStream."""

    @abstractmethod
    def read(self, size: int = -1) -> bytes: ...

    @abstractmethod
    def close(self) -> None: ...
