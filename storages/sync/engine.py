"""The import engine: list, filter, leave out what is known, read rows, hand over batches that are saved as a whole.

It talks to a Sink for everything that is stored, so that one batch is one transaction, whatever the database.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from io import BufferedReader, BytesIO
from typing import Any, NamedTuple, Protocol

from storages.client import Client, ObjectInfo
from storages.errors import BadCredentials, Malformed, StorageError
from storages.sync import read
from storages.sync.parquet import open_ranged
from storages.sync.scan import Scanned, scan

BATCH_ROWS = 2000  # rows per transaction
BATCH_WEIGHT = 8 * 1024**2  # bytes of objects per transaction, so that batches of huge rows stay small
SAVE_EVERY = 2.0  # seconds; a slow storage still shows progress
READERS = 8  # objects fetched at the same time
SMALL = 256 * 1024  # bytes; larger objects are streamed by the consumer instead of being fetched ahead


class Draft(NamedTuple):
    """A row on its way to become a task; a whole object is row 0 of group 0."""

    item: ObjectInfo
    row_group: int
    row_index: int
    task: Any


class Finding(NamedTuple):
    """Why an object (``row`` None) or one of its rows became no task."""

    key: str
    row: int | None
    code: str
    message: str


class Outcome(NamedTuple):
    """An object that was read to its end; ``failed`` if any of its rows was refused."""

    item: ObjectInfo
    failed: bool


@dataclass
class Batch:
    """What one transaction saves. ``cursor`` None: the listing did not move."""

    drafts: list[Draft] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    listed: int = 0
    existed: int = 0
    ignored: int = 0
    cursor: str | None = None
    weight: int = 0

    def empty(self) -> bool:
        return not (self.drafts or self.findings or self.outcomes or self.listed or self.ignored or self.cursor)


class Sink(Protocol):
    """Where batches go. Every method may raise to end the run (a lost lease, a lost database)."""

    def unknown(self, items: list[ObjectInfo]) -> tuple[list[ObjectInfo], int]:
        """The objects that still have something to give, and how many tasks exist for the others."""

    def save(self, batch: Batch) -> None:
        """Saves all of it or nothing."""


@dataclass(frozen=True)
class Plan:
    """What to do with the objects of a storage. ``task_of`` turns a parsed row into what the Sink stores, or raises Malformed."""

    recursive: bool
    passes: Callable[[str], bool]
    whole_objects: bool  # the "Files" method: one task per object, bodies are never read
    task_of_uri: Callable[[str], Any]
    task_of_row: Callable[[Any], Any]
    weight_of: Callable[[Any], int]  # bytes a task takes


def run(client: Client, sink: Sink, plan: Plan) -> None:
    """Imports everything that is new. Raises StorageError when the listing itself fails, and whatever the Sink raises."""
    importer = _Import(client, sink, plan)
    for page in scan(client, recursive=plan.recursive, passes=plan.passes):
        importer.take(page)
    importer.flush()


class _Import:
    """One run: the open batch, and when it was last saved."""

    def __init__(self, client: Client, sink: Sink, plan: Plan) -> None:
        self.client, self.sink, self.plan = client, sink, plan
        self.batch, self.saved = Batch(), time.monotonic()

    def take(self, page: Scanned) -> None:
        fresh = self._count_in(page)
        if self.plan.whole_objects:
            uri, task = self.client.uri, self.plan.task_of_uri
            self.batch.drafts += [Draft(item, 0, 0, task(uri(item.key))) for item in fresh]
        else:
            self._read(fresh)
        self.batch.cursor = page.cursor
        self.flush_if_due()

    def _count_in(self, page: Scanned) -> list[ObjectInfo]:
        fresh, existed = self.sink.unknown(page.objects) if page.objects else ([], 0)
        self.batch.listed += len(page.objects) + len(page.unstorable)
        self.batch.ignored += page.ignored
        self.batch.existed += existed
        message = "the name is not valid Unicode text and cannot be stored; rename the object"
        self.batch.findings += [Finding(ascii(key), None, "name", message) for key in page.unstorable]
        return fresh

    def _read(self, items: list[ObjectInfo]) -> None:
        """The "Tasks" method over one page of objects."""
        for item, source in _fetched(self.client, items):
            refused = 0
            for row in _rows(item, source):
                refused += not self._add_row(item, row)
                self.flush_if_due()
            self.batch.outcomes.append(Outcome(item, bool(refused)))

    def _add_row(self, item: ObjectInfo, row: read.Row) -> bool:
        """Puts one row into the batch; False if it was refused."""
        message = row.error
        if not message:
            try:
                task = self.plan.task_of_row(row.value)
            except Malformed as error:
                message = str(error)
            else:
                self.batch.drafts.append(Draft(item, row.group, row.index, task))
                self.batch.weight += self.plan.weight_of(task)
                return True
        self.batch.findings.append(Finding(item.key, row.index, "row", message))
        return False

    def flush_if_due(self) -> None:
        full = len(self.batch.drafts) >= BATCH_ROWS or self.batch.weight >= BATCH_WEIGHT
        if full or len(self.batch.findings) >= BATCH_ROWS or time.monotonic() - self.saved > SAVE_EVERY:
            self.flush()

    def flush(self) -> None:
        if not self.batch.empty():
            self.sink.save(self.batch)
        self.batch, self.saved = Batch(), time.monotonic()


def _rows(item: ObjectInfo, source: Any) -> Iterator[read.Row]:
    """The rows of an opened object; a failure while reading becomes the last, faulty row."""
    index = 0
    if isinstance(source, StorageError):
        yield read.Row(0, error=str(source))
        return
    try:
        with source() if callable(source) else source as stream:
            for row in read.rows(stream):
                yield row
                index = row.index + 1
    except BadCredentials:
        raise
    except StorageError as error:
        yield read.Row(index, error=f"reading broke off: {error}")


def _fetched(client: Client, items: Iterable[ObjectInfo]) -> Iterator[tuple[ObjectInfo, Any]]:
    """(object, what ``_fetch`` made of it), in order, ``READERS`` requests in flight.

    Credentials that stop working end the run: reporting a million objects as unreadable would help nobody.
    """
    with ThreadPoolExecutor(READERS, thread_name_prefix="read-ahead") as pool:
        waiting: deque[tuple[ObjectInfo, Future]] = deque()
        try:
            for item in items:
                waiting.append((item, pool.submit(_fetch, client, item)))
                if len(waiting) >= 2 * READERS:
                    yield _taken(*waiting.popleft())
            while waiting:
                yield _taken(*waiting.popleft())
        finally:
            for _, future in waiting:
                future.cancel()


def _taken(item: ObjectInfo, future: Future) -> tuple[ObjectInfo, Any]:
    source = future.result()
    if isinstance(source, BadCredentials):
        raise source
    return item, source


def _fetch(client: Client, item: ObjectInfo) -> Any:
    """Small objects whole, failures as their error; large ones as a function that opens them.

    A large object is opened when its turn comes: a connection that waits for hours behind other files is cut off.
    """
    extension = os.path.splitext(item.key)[1].lower()
    if extension not in read.EXTENSIONS:
        return Malformed(
            f"{extension} files hold no tasks; use .json, .jsonl, .ndjson or .parquet, or set the import method to "
            '"Files" (use_blob_urls=true) to label the files themselves'
        )
    try:
        if item.size > SMALL:
            return partial(open_ranged, client, item) if extension == ".parquet" else partial(client.open, item.key)
        stream = client.open(item.key)
        if stream.length > SMALL:  # it grew since it was listed
            return stream
        with stream:
            return BufferedReader(BytesIO(stream.read(-1)))
    except StorageError as error:
        return error
