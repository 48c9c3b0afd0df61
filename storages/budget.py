"""A time limit for a piece of work that talks to other hosts: past it every connection made inside breaks off.

Read and connect timeouts bound one step each; a host that drips a byte now and then passes all of them. Work inside a
budget makes one attempt at everything: no retries. Knows connections only as something to shut down.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from socket import SHUT_RDWR, socket

from storages.errors import TimedOut


class Budget:
    """``seconds`` from now. Duplicates of the sockets are kept: shutting one down ends the connection, TLS or not."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.until = seconds, time.monotonic() + seconds
        self._sockets: list[socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._break_off)
        self._timer.daemon = True
        self._timer.start()

    @property
    def spent(self) -> bool:
        return time.monotonic() >= self.until

    def watch(self, connection: socket) -> None:
        with self._lock:
            self._sockets.append(socket(fileno=os.dup(connection.fileno())))  # SSLSocket.dup() does not exist

    def close(self) -> None:
        self._timer.cancel()
        with self._lock:
            for duplicate in self._sockets:
                duplicate.close()
            self._sockets.clear()

    def _break_off(self) -> None:
        with self._lock:
            for duplicate in self._sockets:
                with suppress(OSError):  # it ended by itself
                    duplicate.shutdown(SHUT_RDWR)


_current: ContextVar[Budget | None] = ContextVar("budget", default=None)


@contextmanager
def limited(seconds: float) -> Iterator[Budget]:
    """All work inside, in this thread, has ``seconds`` in total; a budget around it goes on counting."""
    outer = _current.get()
    budget = Budget(min(seconds, outer.until - time.monotonic()) if outer else seconds)
    token = _current.set(budget)
    try:
        yield budget
    finally:
        _current.reset(token)
        budget.close()


def current() -> Budget | None:
    """The budget that this work is done in, None outside of any."""
    return _current.get()


def seconds_left(most: float) -> float:
    """How long the next step may take: ``most``, or what is left of the budget. Raises TimedOut when it is spent."""
    budget = _current.get()
    if budget is None:
        return most
    left = budget.until - time.monotonic()
    if left <= 0:
        raise TimedOut(f"the connection could not be checked within {budget.seconds:.0f} s")
    return min(most, left)
