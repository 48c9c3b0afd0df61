"""Access tokens of this process: one per secret, renewed before they expire, never asked for by two threads at once.

An identity is the tuple of everything a token depends on, the secret included: a cache that leaves it out hands one
tenant's token to another who only knows the client id (protocols.md §0.3).
"""

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from storages import budget
from storages.errors import TimedOut, Unavailable

EARLY = 60  # seconds; Azure Databricks rejects tokens that live 30 s or less
FRESH = 5  # seconds; a token rejected this soon will not be better if it is asked for again
UNSTATED = 300.0  # seconds; a token whose life is not told (RFC 6749 §5.1 only recommends it)
MOST = 1000  # identities kept
PATIENCE = 60  # seconds to wait for the thread that is asking for the token


@dataclass
class Slot:
    """The token of one identity; times are of the monotonic clock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    value: Any = field(default="", repr=False)  # a text, or credentials that come and go together
    obtained: float = 0.0
    good_until: float = 0.0


_slots: OrderedDict[bytes, Slot] = OrderedDict()
_guard = threading.Lock()
_given = threading.local()  # ``value``: the token this thread was given last, so the one it may report as rejected


def token(identity: tuple[str, ...], fetch: Callable[[], tuple[Any, float]], enough: Callable[[Any], bool] | None = None) -> Any:
    """The identity's token; ``fetch`` gives (token, seconds it lives) and is called by one thread, the others wait for it.

    One that is not ``enough`` for the purpose is replaced early; while that fails, the old one serves until its end.
    """
    slot, _given.value = _slot(identity), ""
    with _held(slot):
        now = time.monotonic()
        due = now >= slot.good_until
        if due or (enough and not enough(slot.value) and now - slot.obtained >= FRESH):
            try:
                value, lives = fetch()
            except Unavailable:
                if due:
                    raise
            else:
                now = time.monotonic()
                slot.value, slot.obtained, slot.good_until = value, now, now + lives - min(EARLY, lives / 2)
        _given.value = slot.value
        return slot.value


def forget(identity: tuple[str, ...]) -> bool:
    """Drops the token this thread was given last; True if ``token`` may now give another one that is accepted.

    False if none was given, or if it is so new that another one would be rejected as well.
    """
    slot = _slot(identity)
    with _held(slot):
        if not (rejected := getattr(_given, "value", "")):
            return False
        if slot.value == rejected:  # else another thread has renewed it meanwhile
            if time.monotonic() - slot.obtained < FRESH:
                return False
            slot.good_until = 0.0
        return True


def lifetime(told: object) -> float:
    """Seconds that ``expires_in`` of a token answer tells, be it a number or its digits."""
    digits = str(told)
    return float(digits) if digits.isdecimal() and len(digits) < 10 else UNSTATED


@contextmanager
def _held(slot: Slot) -> Iterator[None]:
    if not slot.lock.acquire(timeout=budget.seconds_left(PATIENCE)):
        raise TimedOut("another thread has been waiting for the access token for too long; try again")
    try:
        yield
    finally:
        slot.lock.release()


def _slot(identity: tuple[str, ...]) -> Slot:
    key = hashlib.sha256(json.dumps(identity).encode()).digest()
    with _guard:
        slot = _slots.setdefault(key, Slot())
        _slots.move_to_end(key)
        while len(_slots) > MOST:
            _slots.popitem(last=False)
        return slot
