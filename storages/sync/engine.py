"""The import engine: takes pages of objects, leaves out what is known, reads rows, hands over batches saved as a whole.

It talks to a Sink for everything that is stored, so that one batch is one transaction, whatever the database.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from storages.client import Client, ObjectInfo
from storages.errors import BadCredentials, Malformed, StorageError
from storages.sync import read
from storages.sync.batch import Batch, Draft, Finding, Outcome, Sorted, Todo
from storages.sync.pace import Pace
from storages.sync.read import Limits, Mark
from storages.sync.scan import Scanned

BATCH_ROWS = 2000  # rows per transaction
BATCH_WEIGHT = 8 * 1024**2  # bytes of rows per transaction, so that batches of huge rows stay small
SAVE_EVERY = 2.0  # seconds; a slow storage still shows progress
SMALL = 256 * 1024  # bytes; larger objects are streamed when their turn comes instead of being fetched ahead


class Sink(Protocol):
    """Where batches go. Every method may raise to end the work (a lost lease, a lost database)."""

    def sort(self, items: list[ObjectInfo]) -> Sorted:
        """What is to be imported of these objects, and what is known of the others."""

    def save(self, batch: Batch) -> None:
        """Saves all of it or nothing."""


@dataclass(frozen=True)
class Recipe:
    """What to do with objects. ``task_of_row`` turns a parsed row into what the Sink stores, or raises Malformed."""

    whole_objects: bool  # the "Files" method: one task per object, bodies are never read
    task_of_uri: Callable[[str], Any]
    task_of_row: Callable[[Any], Any]
    weight_of: Callable[[Any], int]  # bytes a task takes
    readers: int = 32  # objects read at the same time
    limits: Limits = Limits()


class _Unreadable(Exception):
    """An object, or the rest of it, cannot be had from the storage."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


class Import:
    """One piece of work: pages go in, batches come out at the Sink; ``finish`` ends it.

    Raises what the Sink raises, and BadCredentials.
    """

    def __init__(self, client: Client, sink: Sink, recipe: Recipe, pace: Pace) -> None:
        self.client, self.sink, self.recipe, self.pace = client, sink, recipe, pace
        self.batch, self.saved = Batch(), time.monotonic()

    def finish(self) -> None:
        """Saves what is open and, with it, that nothing is left to do."""
        self.batch.done = True
        self.flush()

    def take(self, page: Scanned) -> None:
        """Imports what is new on the page."""
        known = self.sink.sort(page.objects) if page.objects else Sorted()
        settled = known.settled + len(page.refused)
        if self.recipe.whole_objects:
            uri, task = self.client.uri, self.recipe.task_of_uri
            self.batch.drafts += [Draft(todo.item, todo.digest, 0, 0, task(uri(todo.item.key))) for todo in known.fresh]
            settled += len(known.fresh)
        else:
            settled += self._read(known.fresh)
        self.batch.findings += [Finding(key, None, code, message) for key, code, message in page.refused]
        self.batch.pages.append(known)
        self.batch.listed += 0 if page.counted else len(page.objects) + len(page.refused) - len(known.own)
        self.batch.ignored += page.ignored + len(known.own)
        self.batch.settled += settled + (len(known.own) if page.counted else 0)
        self.batch.cursor = page.cursor or self.batch.cursor
        if self._is_due():
            self.flush()

    def _read(self, todos: list[Todo]) -> int:
        """The "Tasks" method over one page of objects; how many were dealt with."""
        count = 0
        for todo, body in self._fetched(todos):
            refused, place = todo.refused, todo.mark
            try:
                for row in self._rows(todo, body):
                    if self._is_due():  # not behind a row that may be the last: a resumed run would read on behind the end
                        self.batch.outcomes.append(Outcome(todo.item, todo.digest, refused, place, todo.fate))
                        self.flush()
                    refused += not self._add_row(todo, row)
                    place = Mark(row.group, row.index + 1, row.offset)
            except _Unreadable as problem:
                self.batch.findings.append(problem.finding)
                refused += 1
            self.batch.outcomes.append(Outcome(todo.item, todo.digest, refused, fate=todo.fate))
            count += 1
            if self._is_due():
                self.flush()
        return count

    def _add_row(self, todo: Todo, row: read.Row) -> bool:
        """Puts one row into the batch; False if it was refused."""
        message = row.error
        if not message:
            try:
                task = self.recipe.task_of_row(row.value)
            except Malformed as error:
                message = str(error)
            else:
                self.batch.drafts.append(Draft(todo.item, todo.digest, row.group, row.index, task, todo.fate))
                self.batch.weight += self.recipe.weight_of(task)
                return True
        place, code = (None, "format") if row.whole else (row.index, "row")
        self.batch.findings.append(Finding(todo.item.key, place, code, message))
        return False

    def _rows(self, todo: Todo, body: bytes | StorageError | None) -> Iterator[read.Row]:
        """The rows of an object. Raises _Unreadable for a failure that does not pass.

        Credentials that stop working end the run: reporting a million objects as unreadable would help nobody.
        """
        mark, failures, problem = todo.mark, 0, body if isinstance(body, StorageError) else None
        body = None if problem else body
        while True:
            try:
                if problem:
                    raise problem
                for row in read.rows(self.client, todo.item, self.recipe.limits, body=body, mark=mark):
                    yield row
                    mark, failures = Mark(row.group, row.index + 1, row.offset), 0
                self.pace.succeeded()
                return
            except BadCredentials:
                raise
            except StorageError as error:
                failures += 1
                if not self.pace.forgives(error, failures):
                    begun = mark != todo.mark
                    message = f"reading broke off: {error}" if begun else str(error)
                    raise _Unreadable(Finding(todo.item.key, mark.index if begun else None, error.code, message)) from error
                problem = body = None
                self.pace.wait()

    def _fetched(self, todos: Iterable[Todo]) -> Iterator[tuple[Todo, Any]]:
        """(object, what ``_fetch`` made of it), in order, ``readers`` requests in flight."""
        with ThreadPoolExecutor(self.recipe.readers, thread_name_prefix="read-ahead") as pool:
            waiting: deque[tuple[Todo, Future]] = deque()
            try:
                for todo in todos:
                    waiting.append((todo, pool.submit(self._fetch, todo)))
                    if len(waiting) >= 2 * self.recipe.readers:
                        yield _taken(*waiting.popleft())
                while waiting:
                    yield _taken(*waiting.popleft())
            finally:
                for _, future in waiting:
                    future.cancel()

    def _fetch(self, todo: Todo) -> bytes | StorageError | None:
        """Small objects whole, failures as their error; None for an object to be opened when its turn comes.

        A connection that waits for hours behind other files is cut off.
        """
        item = todo.item
        if message := read.refusal(item.key, item.size, self.recipe.limits):
            return Malformed(message)
        if item.size > SMALL:
            return None
        self.pace.wait()
        try:
            with self.client.open(item.key) as stream:
                body = stream.read(SMALL + 1) if stream.length > SMALL else stream.read(-1)
        except StorageError as error:
            return error
        return body if len(body) <= SMALL else None  # it grew since it was listed

    def _is_due(self) -> bool:
        batch = self.batch
        full = len(batch.drafts) >= BATCH_ROWS or batch.weight >= BATCH_WEIGHT or len(batch.findings) >= BATCH_ROWS
        return full or time.monotonic() - self.saved > SAVE_EVERY

    def flush(self) -> None:
        """Saves what is open."""
        if not self.batch.empty():
            self.sink.save(self.batch)
        self.batch, self.saved = Batch(), time.monotonic()


def _taken(todo: Todo, future: Future) -> tuple[Todo, Any]:
    source = future.result()
    if isinstance(source, BadCredentials):
        raise source
    return todo, source
