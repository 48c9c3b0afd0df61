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

from storages import budget
from storages.errors import TimedOut

EARLY = 60  # seconds; Azure Databricks rejects tokens that live 30 s or less
FRESH = 5  # seconds; a token rejected this soon will not be better if it is asked for again
UNSTATED = 300.0  # seconds; a token whose life is not told (RFC 6749 §5.1 only recommends it)
MOST = 1000  # identities kept
PATIENCE = 60  # seconds to wait for the thread that is asking for the token


@dataclass
class Slot:
    """The token of one identity; times are of the monotonic clock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    text: str = field(default="", repr=False)
    obtained: float = 0.0
    good_until: float = 0.0


_slots: OrderedDict[bytes, Slot] = OrderedDict()
_guard = threading.Lock()
_given = threading.local()  # ``text``: the token this thread was given last, so the one it may report as rejected


def token(identity: tuple[str, ...], fetch: Callable[[], tuple[str, float]]) -> str:
    """The identity's token; ``fetch`` gives (text, seconds it lives) and is called by one thread, the others wait for it."""
    slot, _given.text = _slot(identity), ""
    with _held(slot):
        if time.monotonic() >= slot.good_until:
            text, lives = fetch()
            now = time.monotonic()
            slot.text, slot.obtained, slot.good_until = text, now, now + lives - min(EARLY, lives / 2)
        _given.text = slot.text
    return slot.text


def forget(identity: tuple[str, ...]) -> bool:
    """Drops the token this thread was given last; True if ``token`` may now give another one that is accepted.

    False if none was given, or if it is so new that another one would be rejected as well.
    """
    slot = _slot(identity)
    with _held(slot):
        if not (rejected := getattr(_given, "text", "")):
            return False
        if slot.text == rejected:  # else another thread has renewed it meanwhile
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
