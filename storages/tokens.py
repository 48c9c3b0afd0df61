"""Access tokens of this process: one per secret, renewed before they expire, never asked for by two threads at once.

An identity is the tuple of everything a token depends on, the secret included: a cache that leaves it out hands one
tenant's token to another who only knows the client id (protocols.md §0.3).
"""

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

EARLY = 60  # seconds; Azure Databricks rejects tokens that live 30 s or less
FRESH = 5  # seconds; a token rejected this soon will not be better if it is asked for again
MOST = 1000  # identities kept


@dataclass
class Slot:
    """The token of one identity; times are of the monotonic clock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    text: str = field(default="", repr=False)
    obtained: float = 0.0
    good_until: float = 0.0


_slots: OrderedDict[bytes, Slot] = OrderedDict()
_guard = threading.Lock()


def token(identity: tuple[str, ...], fetch: Callable[[], tuple[str, float]]) -> str:
    """The identity's token; ``fetch`` gives (text, seconds it lives) and is called by one thread, the others wait for it."""
    slot = _slot(identity)
    with slot.lock:
        if time.monotonic() >= slot.good_until:
            text, lives = fetch()
            now = time.monotonic()
            slot.text, slot.obtained, slot.good_until = text, now, now + lives - min(EARLY, lives / 2)
        return slot.text


def forget(identity: tuple[str, ...]) -> bool:
    """Drops a token that was rejected; False if it is so new that another one would be rejected as well."""
    slot = _slot(identity)
    with slot.lock:
        if time.monotonic() - slot.obtained < FRESH:
            return False
        slot.good_until = 0.0
        return True


def _slot(identity: tuple[str, ...]) -> Slot:
    key = hashlib.sha256(json.dumps(identity).encode()).digest()
    with _guard:
        slot = _slots.setdefault(key, Slot())
        _slots.move_to_end(key)
        while len(_slots) > MOST:
            _slots.popitem(last=False)
        return slot
