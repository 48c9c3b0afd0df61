"""Ends connections whose other side keeps an answer from ending, or whose answer nobody waits for any more.

A time-out of a socket bounds one read, and a host that sends a byte now and then passes all of them. One thread of this
process looks a few times a second, as long as somebody waits. Knows connections only as something to shut down.
"""

import select
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from socket import SHUT_RDWR, socket
from typing import Any, NamedTuple

TICK = 0.25  # seconds between two looks: whoever hung up is noticed within one
HUNG_UP = getattr(select, "POLLRDHUP", 0)  # poll(2): the peer closed its half; POLLHUP and POLLERR are told unasked


Asker = socket  # the connection of whoever is to get what is being waited for


class _Wait(NamedTuple):
    until: float  # time.monotonic()
    connection: socket
    asker: Asker | None


_waiting: dict[object, _Wait] = {}
_asked_by = threading.local()
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
    _waiting[token] = _Wait(time.monotonic() + seconds, connection, getattr(_asked_by, "socket", None))
    _start()
    _wake.set()
    try:
        yield
    finally:
        with _guard:  # not in the middle of a look, which would shut down what is somebody else's by then
            del _waiting[token]


@contextmanager
def asked_by(asker: Asker | None) -> Iterator[None]:
    """Whatever ``within`` watches in this block and thread is shut down as well when ``asker`` hangs up; None: nobody does."""
    outer = getattr(_asked_by, "socket", None)
    _asked_by.socket = asker
    try:
        yield
    finally:
        _asked_by.socket = outer


def hung_up(askers: Iterable[Asker]) -> set[Asker]:
    """Those whose other side closed the connection or its sending half, or which are closed; asks the system once."""
    poll, by_descriptor, gone = select.poll(), {}, set()
    for asker in set(askers):
        if (descriptor := asker.fileno()) < 0:
            gone.add(asker)
        else:
            by_descriptor[descriptor] = asker
            poll.register(descriptor, HUNG_UP)
    return gone | {by_descriptor[descriptor] for descriptor, _ in poll.poll(0)}


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
        _look()
        if not _waiting:
            _wake.clear()
        _never.wait(TICK)


def _look() -> None:
    """One round; under the lock, so that what is shut down is still being waited for."""
    with _guard:
        now, waits = time.monotonic(), list(_waiting.values())
        gone = hung_up(wait.asker for wait in waits if wait.asker)
        for wait in waits:
            if now > wait.until or wait.asker in gone:
                with suppress(OSError):  # it ended by itself
                    socket.shutdown(wait.connection, SHUT_RDWR)  # not SSLSocket's own, which another thread is using
