"""Asks clients for signed URLs, and leaves alone for a while those that could not sign."""

import copy
from collections.abc import Hashable
from threading import Lock

from cachetools import TLRUCache

from storages.client import Client
from storages.errors import StorageError

REFUSED_FOR, FAILED_FOR = 300, 10  # seconds until a signer is asked again that refused, or failed for a moment
_guard = Lock()
_failed: TLRUCache[Hashable, StorageError] = TLRUCache(
    maxsize=10_000, ttu=lambda _, error, now: now + (FAILED_FOR if error.retryable else REFUSED_FOR)
)


def sign(client: Client, key: str, ttl: int, storage: Hashable) -> tuple[str, int]:
    """A URL that anyone may GET, and the seconds that it lives. Raises StorageError: then we serve the bytes ourselves.

    ``storage``: what a failure is remembered for.
    """
    with _guard:
        known = _failed.get(storage)
    if known is not None:
        raise copy.copy(known)  # raised again and again, one exception would collect the frames of all requests
    try:
        return client.signed(key, ttl)
    except StorageError as error:
        with _guard:
            _failed[storage] = copy.copy(error)
        raise


def forget() -> None:
    """Every signer is asked again."""
    with _guard:
        _failed.clear()
