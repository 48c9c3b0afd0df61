"""What the buckets of the benchmark store hold: computed series, large files, written objects; knows no HTTP.

Everything generated is the same in every process and at every time, but for the generation: see Change.
"""

import hashlib
import random
import time
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple, Protocol
from urllib.parse import quote

BORN = 1_767_323_045.0  # seconds since the epoch; when every generated object was last modified
LAST = "\U0010ffff"  # sorts behind every key with the same beginning
MIB = 1 << 20


class Stored(NamedTuple):
    """One object; ``body`` is None when only the size is still known. ``modified``: epoch seconds."""

    size: int
    etag: str
    content_type: str
    modified: float
    body: bytes | None


def stored(body: bytes, content_type: str, modified: float = BORN) -> Stored:
    return Stored(len(body), hashlib.md5(body).hexdigest(), content_type, modified, body)


@dataclass
class Change:
    """Since ``generation`` (0: never) every ``step``-th object of a series has another body and another etag."""

    generation: int = 0
    step: int = 100

    def of(self, position: int) -> int:
        """The generation of one object."""
        return self.generation if position % self.step == 0 else 0


class Bucket(Protocol):
    """Objects in key order; positions are indexes into that order."""

    def span(self, prefix: str, after: str) -> range:
        """The positions of the keys under ``prefix`` that sort behind ``after``."""

    def key(self, position: int) -> str: ...

    def rows(self, positions: Iterable[int], *, encode: bool) -> str:
        """Contents elements of a listing; keys percent-encoded if ``encode``."""

    def find(self, key: str) -> Stored | None: ...


@lru_cache
def iso(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(moment))


def row(key: str, thing: Stored) -> str:
    return (
        f"<Contents><Key>{key}</Key><LastModified>{iso(thing.modified)}</LastModified><ETag>&quot;{thing.etag}&quot;</ETag>"
        f"<Size>{thing.size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )


@dataclass(frozen=True)
class Series:
    """``count`` objects folder/00000001.suffix … whose bodies are computed; no memory per object."""

    folder: str
    suffix: str
    count: int
    make: Callable[[int, int], Stored]  # of position and generation
    uniform: bool  # objects of one generation have the same body, so listings need not make them
    change: Change

    def key(self, position: int) -> str:
        return f"{self.folder}{position + 1:08d}{self.suffix}"

    def span(self, prefix: str, after: str) -> range:
        every = range(self.count)
        low = bisect_left(every, prefix, key=self.key)
        if after:
            low = max(low, bisect_right(every, after, key=self.key))
        return range(low, max(low, bisect_left(every, prefix + LAST, key=self.key)))

    def rows(self, positions: Iterable[int], *, encode: bool) -> str:
        of = self.change.of
        if not self.uniform:
            return "".join([row(self.key(position), self.make(position, of(position))) for position in positions])
        (head, tail), (_, other) = self.pattern(0), self.pattern(self.change.generation)
        if tail == other:
            return "".join([f"{head}{position + 1:08d}{tail}" for position in positions])
        step = self.change.step
        return "".join([f"{head}{position + 1:08d}{tail if position % step else other}" for position in positions])

    def pattern(self, generation: int) -> tuple[str, str]:
        """What stands before and behind the number in every row of one generation."""
        head, _, tail = row(self.key(0), self.make(0, generation)).partition(f"{1:08d}")
        return head, tail

    def find(self, key: str) -> Stored | None:
        position = bisect_left(range(self.count), key, key=self.key)
        return self.make(position, self.change.of(position)) if position < self.count and self.key(position) == key else None


@dataclass
class Shelf:
    """Objects held in memory; when their bodies exceed ``cap`` bytes in all, the oldest bodies are dropped."""

    things: dict[str, Stored] = field(default_factory=dict)
    cap: int = 64 * MIB
    held: int = 0
    recent: deque[str] = field(default_factory=deque)  # keys in the order of their writing

    @cached_property
    def order(self) -> list[str]:
        return sorted(self.things)

    def key(self, position: int) -> str:
        return self.order[position]

    def span(self, prefix: str, after: str) -> range:
        low = max(bisect_left(self.order, prefix), bisect_right(self.order, after) if after else 0)
        return range(low, max(low, bisect_left(self.order, prefix + LAST)))

    def rows(self, positions: Iterable[int], *, encode: bool) -> str:
        keys = [self.order[position] for position in positions]
        return "".join([row(shown(key, encode), self.things[key]) for key in keys])

    def find(self, key: str) -> Stored | None:
        return self.things.get(key)

    def put(self, key: str, thing: Stored) -> None:
        self.remove(key)
        self.things[key] = thing
        self.held += thing.size
        self.recent.append(key)
        while self.held > self.cap:
            oldest = self.recent.popleft()
            if oldest in self.things:
                self.held -= len(self.things[oldest].body or b"")
                self.things[oldest] = self.things[oldest]._replace(body=None)

    def remove(self, key: str) -> None:
        gone = self.things.pop(key, None)
        self.held -= len(gone.body or b"") if gone else 0
        self.__dict__.pop("order", None)


def shown(key: str, encode: bool) -> str:
    """A key as it stands in a listing."""
    return quote(key) if encode else key.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def task_at(position: int, generation: int) -> Stored:
    version = b', "generation": %d' % generation if generation else b""
    body = b'{"data": {"image": "s3://bench/img/%08d.jpg", "number": %d%s}}' % (position + 1, position + 1, version)
    return stored(body, "application/json", BORN + generation)


@lru_cache
def image_at(generation: int) -> Stored:
    body = b"not really an image\n" * 6 + (b"%d" % generation if generation else b"")
    return stored(body, "image/jpeg", BORN + generation)


def text_at(number: int) -> str:
    """The text of one row, from 1."""
    return f"line {number} of the benchmark"


def lines(count: int) -> bytes:
    return b"".join([b'{"data": {"text": "%s"}}\n' % text_at(number).encode() for number in range(1, count + 1)])


def parquet(count: int, group: int = 10_000) -> bytes:
    """A file of the columns text and number, in row groups of ``group`` rows."""
    import pyarrow
    from pyarrow.parquet import write_table

    numbers = range(1, count + 1)
    table = pyarrow.table({"text": [text_at(number) for number in numbers], "number": pyarrow.array(numbers, pyarrow.int64())})
    sink = pyarrow.BufferOutputStream()
    write_table(table, sink, row_group_size=group)
    return sink.getvalue().to_pybytes()


class Buckets:
    """All buckets by name: bench-N, tasks-N, jsonl-N, parquet-N, jsonl, media; any other name is an empty one to write to.

    N: how many images, one-task JSON objects, or rows of the one file rows.jsonl or rows.parquet.
    """

    def __init__(self, *, jsonl_lines: int = 10_000, big_mib: int = 64) -> None:
        self.change = Change()
        block = random.Random(7).randbytes(MIB)
        self.fixed: dict[str, Bucket] = {
            "jsonl": self.file("jsonl", jsonl_lines),
            "media": Shelf({"big.bin": stored(block * big_mib, "application/octet-stream")}),
        }
        self.written: dict[str, Shelf] = {}

    def bucket(self, name: str) -> Bucket:
        if name not in self.fixed:
            kind, _, count = name.partition("-")
            if kind in ("bench", "tasks", "jsonl", "parquet") and count.isdigit():
                make = self.series if kind in ("bench", "tasks") else self.file
                self.fixed[name] = make(kind, int(count))
        return self.fixed.get(name) or self.written.setdefault(name, Shelf())

    def writable(self, name: str) -> Shelf | None:
        """The bucket if it takes writes; the generated ones do not."""
        self.bucket(name)
        return self.written.get(name)

    def series(self, kind: str, count: int) -> Series:
        if kind == "bench":
            return Series("img/", ".jpg", count, lambda _, generation: image_at(generation), uniform=True, change=self.change)
        return Series("tasks/", ".json", count, task_at, uniform=False, change=self.change)

    def file(self, kind: str, count: int) -> Shelf:
        body = lines(count) if kind == "jsonl" else parquet(count)
        return Shelf({f"rows.{kind}": stored(body, "application/x-ndjson" if kind == "jsonl" else "application/octet-stream")})

    def renew(self, percent: float) -> int:
        """Changes ``percent`` of every series (0: back to the beginning): the generation of the changed ones."""
        self.change.generation = self.change.generation + 1 if percent else 0
        self.change.step = round(100 / percent) if percent else 100
        return self.change.generation
