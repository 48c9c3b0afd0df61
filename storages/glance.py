"""A look at what a storage holds, for a limited time: the pages of a sync, and what it leaves out. Stores nothing.

Everything that may wait for the storage happens in threads that are left behind when the time is up; the time limits of
single requests end them.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from storages.base import ImportStorage
from storages.client import Client, Page
from storages.errors import StorageError
from storages.sync.pace import Pace
from storages.sync.patterns import matcher
from storages.sync.scan import Scanned, scan

Answer = TypeVar("Answer")


class OutOfTime(Exception):
    """The time is up."""


@dataclass
class Look:
    """One page of a listing: what a sync gets of it, keys that the file name filter left out, keys that stand for folders."""

    page: Scanned
    filtered: list[str]
    markers: list[str]


class _Tap:
    """A client whose listing is listened to on its way to ``scan``."""

    def __init__(self, client: Client) -> None:
        self.client, self.markers = client, deque[str]()
        self.trouble: StorageError | None = None

    def list(self, **options: Any) -> Iterator[Page]:
        if not options.get("after"):
            self.markers.clear()  # it begins anew
        try:
            for page in self.client.list(**options):
                self.markers.extend(page.markers)
                yield page
        except StorageError as error:
            self.trouble = error
            raise


class Glance:
    """One look at ``storage``, over after ``seconds``. Raises ConfigInvalid for settings that make no connection."""

    def __init__(self, storage: ImportStorage, seconds: float) -> None:
        self.storage, self.client = storage, storage.client()
        self.until = time.monotonic() + seconds
        self.complete = False  # the listing came to its end
        self._tap, self._stopped = _Tap(self.client), threading.Event()
        self._matches = matcher(storage.regex_filter, self.client.subject)
        self._filtered: list[str] = []

    def looks(self, begun_anew: Callable[[], None] = lambda: None) -> Iterator[Look]:
        """The pages as long as there is time; ``begun_anew``: those before this one do not count any more.

        Raises StorageError when the listing fails for good, or failed until the time was up and not one page came.
        """
        pages, came = self._pages(begun_anew), False
        try:
            while (look := self.ask(next, pages, None)) is not None:
                came = True
                yield look
            self.complete = True
        except OutOfTime:
            if self._tap.trouble and not came:
                raise self._tap.trouble from None
        finally:
            self._stopped.set()

    def ask(self, call: Callable[..., Answer], *arguments: Any) -> Answer:
        """What ``call`` returns. Raises OutOfTime when it takes too long, and what it raises."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise OutOfTime
        pool = ThreadPoolExecutor(1, thread_name_prefix="glance")
        future = pool.submit(call, *arguments)
        pool.shutdown(wait=False)
        try:
            return future.result(left)
        except TimeoutError:
            raise OutOfTime from None

    def _pages(self, begun_anew: Callable[[], None]) -> Iterator[Look]:
        def rewound() -> None:
            self._filtered.clear()
            begun_anew()

        pace, markers = Pace(self._stopped), self._tap.markers
        for page in scan(self._tap, recursive=self.storage.recursive, passes=self._passes, pace=pace, rewound=rewound):
            filtered, self._filtered = self._filtered, []
            yield Look(page, filtered, [markers.popleft() for _ in range(len(markers))])

    def _passes(self, key: str) -> bool:
        if self._matches(key):
            return True
        self._filtered.append(key)
        return False
