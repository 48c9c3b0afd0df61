"""How fast a storage may be asked: waits when it says "slow down" or fails, shared by all threads of a piece of work."""

import random
import threading
import time
from collections.abc import Callable

from storages.errors import StorageError, Throttled

FIRST, LONGEST = 0.5, 60.0  # seconds: back-off doubles from one to the other
PATIENCE = 900.0  # seconds without a single success until the storage counts as gone
TRIES = 4  # failures of one object, or of one page, that are not throttling


class Stopped(Exception):
    """The work was taken from us while we waited."""


class Pace:
    """A gate in front of requests. ``stopped`` ends every wait."""

    def __init__(self, stopped: threading.Event | None = None, *, sleep: Callable[[float], bool] | None = None) -> None:
        self.stopped = stopped or threading.Event()
        self._sleep = sleep or self.stopped.wait
        self._lock = threading.Lock()
        self._delay, self._open_at, self._success = FIRST, 0.0, time.monotonic()

    def wait(self) -> None:
        """Returns when the next request may go out. Raises Stopped."""
        while (left := self._open_at - time.monotonic()) > 0:
            if self._sleep(min(left, 1.0)):
                break
        if self.stopped.is_set():
            raise Stopped

    def succeeded(self) -> None:
        """A request was answered."""
        self._success, self._delay = time.monotonic(), FIRST

    def forgives(self, error: StorageError, failures: int) -> bool:
        """Whether to try again after ``failures`` in a row, in which case the gate is shut for a while."""
        if not error.retryable:
            return False
        throttled = isinstance(error, Throttled)
        with self._lock:
            now = time.monotonic()
            if now - self._success > PATIENCE or (not throttled and failures >= TRIES):
                return False
            if self._open_at <= now:  # else another thread shut it for the same reason
                pause = max(self._delay * random.uniform(0.5, 1.0), getattr(error, "retry_after", None) or 0.0)  # noqa: S311
                self._open_at, self._delay = now + min(pause, LONGEST), min(self._delay * 2, LONGEST)
        return True
