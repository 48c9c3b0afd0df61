"""Ends connections whose other side keeps an answer from ending: one thread of this process looks at them every second.

A time-out of a socket bounds one read, and a host that sends a byte now and then passes all of them. Knows connections
only as something to shut down.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import SHUT_RDWR, socket
from typing import Any

_waiting: dict[object, tuple[float, socket]] = {}  # what is being waited for → until when, over which connection
_wake, _never = threading.Event(), threading.Event()
_guard = threading.Lock()
_thread: threading.Thread | None = None


@contextmanager
def within(answer: Any, seconds: float) -> Iterator[None]:
    """Shuts the connection of ``answer`` (a socket, or what has one as ``watched``) down if the block takes longer."""
    connection = answer if isinstance(answer, socket) else getattr(answer, "watched", None)
    if connection is None:
        yield
        return
    token = object()
    _waiting[token] = time.monotonic() + seconds, connection
    _start()
    _wake.set()
    try:
        yield
    finally:
        del _waiting[token]


def _start() -> None:
    """In this process: a forked one has inherited the variable, but not the thread."""
    global _thread
    if _thread is None or not _thread.is_alive():
        with _guard:
            if _thread is None or not _thread.is_alive():
                _thread = threading.Thread(target=_watch, name="watchdog", daemon=True)
                _thread.start()


def _watch() -> None:
    while _wake.wait():
        now = time.monotonic()
        for until, connection in list(_waiting.values()):
            if now > until:
                with suppress(OSError):  # it ended by itself
                    socket.shutdown(connection, SHUT_RDWR)  # not SSLSocket's own, which another thread is using
        if not _waiting:
            _wake.clear()
        _never.wait(1)
