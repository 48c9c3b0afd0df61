"""How many streams this process serves at once: slow browsers and slow storages must leave threads for the API.

Knows neither streams nor requests.
"""

import threading
import weakref
from types import TracebackType
from typing import Self

from django.conf import settings
from rest_framework import status
from rest_framework.exceptions import APIException

_lock = threading.Lock()
_taken = 0


class Busy(APIException):
    """As many objects as allowed are being streamed."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "As many files as this server streams at once are under way; try again in a second."
    default_code = "busy"
    wait = 1  # seconds, in Retry-After (RFC 9110 §10.2.3)


class Slot:
    """The right to ask a storage for one object. ``free`` gives it back, as does being forgotten.

    So does leaving the block, unless an answer that streams on has set ``kept``.
    """

    kept = False

    def __init__(self) -> None:
        self.free = weakref.finalize(self, _give_back)  # works once, whoever calls it
        self.free.atexit = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None or not self.kept:
            self.free()


def take() -> Slot:
    """One of RESOLVER_PROXY_STREAMS slots of this process, at once. Raises Busy (503 with Retry-After) if none is free."""
    global _taken
    with _lock:
        if _taken >= settings.RESOLVER_PROXY_STREAMS:
            raise Busy()
        _taken += 1
    return Slot()


def taken() -> int:
    """How many slots are in use."""
    return _taken


def _give_back() -> None:
    global _taken
    with _lock:
        _taken -= 1
