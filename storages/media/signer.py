"""Asks clients for signed URLs, and leaves alone for a while those that may not sign."""

from threading import Lock

from cachetools import TTLCache

from storages.client import Client
from storages.errors import AccessDenied, StorageError, Unsupported

REFUSALS = (Unsupported, AccessDenied)
REFUSED_FOR = 300  # seconds until a signer that refused is asked again
_guard = Lock()
_refused: TTLCache[Client, StorageError] = TTLCache(maxsize=10_000, ttl=REFUSED_FOR)


def sign(client: Client, key: str, ttl: int) -> tuple[str, int]:
    """A URL that anyone may GET, and the seconds that it lives. Raises one of REFUSALS if we must serve the bytes ourselves.

    Raises StorageError where serving them would fail too.
    """
    with _guard:
        known = _refused.get(client)
    if known is not None:
        raise known
    try:
        return client.signed(key, ttl)
    except REFUSALS as error:
        with _guard:
            _refused[client] = error.with_traceback(None)
        raise


def forget() -> None:
    """Every signer is asked again."""
    with _guard:
        _refused.clear()
