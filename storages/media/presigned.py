"""Redirects to URLs that the storage's provider serves itself; signed once and handed out while comfortably valid."""

import logging
import time
from threading import Lock
from typing import NamedTuple

from cachetools import TTLCache
from django.conf import settings
from django.http import HttpResponse

from storages.base import ImportStorage
from storages.media import signer
from storages.media.resolve import Source

log = logging.getLogger(__name__)
WEEK = 7 * 24 * 3600  # SigV4's X-Amz-Expires and GCS's V4 X-Goog-Expires allow 604,800 s at most
MARGIN = 60  # seconds a browser must still have when it follows a redirect it remembered
_guard = Lock()


class Signed(NamedTuple):
    """A URL and when (``time.monotonic()``) it begins to be too old to be handed out, and ends."""

    url: str
    stale: float
    ends: float


_signed: TTLCache = TTLCache(maxsize=50_000, ttl=WEEK)


def redirect(source: Source, key: str) -> HttpResponse | None:
    """A 303 to a signed URL; None if the storage does not want that, or cannot sign at present: then we serve the bytes.

    Raises StorageError where serving the bytes would fail too.
    """
    storage, place = source.storage, (source.storage.pk, source.storage.revision, key)
    if not getattr(storage, "presign", False):
        return None
    with _guard:
        found = _signed.get(place)
    if found is None or found.stale < time.monotonic():
        try:
            found = _sign(source, key)
        except signer.REFUSALS as error:
            _tell(storage, f"{error}; media is sent through this server until that is mended")
            return None
        _tell(storage, "")
        with _guard:
            _signed[place] = found
    return see_other(found.url, found.ends - time.monotonic())


def life(storage: ImportStorage) -> int:
    """Seconds that a URL of this storage is signed for: its own setting, within the policy of the server."""
    return min(max(storage.presign_ttl, 1) * 60, settings.PRESIGN_MAX_TTL * 60, WEEK)


def see_other(url: str, ttl: float) -> HttpResponse:
    """A redirect to a URL that lives ``ttl`` seconds more, which a browser may remember until a minute before its end."""
    return HttpResponse(
        status=303,
        headers={
            "Location": url,
            "Cache-Control": f"private, max-age={max(round(ttl) - MARGIN, 0)}",
            "Vary": "Authorization, Cookie",
            "Referrer-Policy": "no-referrer",
        },
    )


def _sign(source: Source, key: str) -> Signed:
    now = time.monotonic()
    url, ttl = signer.sign(source.client, key, life(source.storage))
    return Signed(url, now + ttl / 2, now + ttl)


def _tell(storage: ImportStorage, problem: str) -> None:
    """Keeps in the storage's ``presign_problem`` why it cannot sign; written when that changes only."""
    if storage.presign_problem != problem:
        storage.presign_problem = problem
        ImportStorage.objects.filter(pk=storage.pk).update(presign_problem=problem)
        log.warning("storage %s %s: %s", storage.type, storage.pk, problem or "URLs are signed again")
