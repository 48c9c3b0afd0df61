"""Redirects to URLs that the storage's provider serves itself; signed once and handed out while comfortably valid."""

import logging
import time
from threading import Lock
from typing import NamedTuple

from cachetools import TLRUCache
from django.conf import settings
from django.http import HttpResponse

from storages.base import ImportStorage
from storages.errors import StorageError
from storages.media import signer
from storages.media.body import release_database
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


_signed: TLRUCache = TLRUCache(maxsize=20_000, ttu=lambda _, signed, now: signed.stale, timer=lambda: time.monotonic())


def redirect(source: Source, key: str, most: float = WEEK) -> HttpResponse | None:
    """A 303 to a signed URL; None if the storage does not want that, or cannot sign at present: then we serve the bytes.

    A browser may remember it for ``most`` seconds.
    """
    storage, version = source.storage, (source.storage.pk, source.storage.revision)
    if not getattr(storage, "presign", False):
        return None
    with _guard:
        found = _signed.get((*version, key))
    if found is None:
        try:
            found = _sign(source, key, version)
        except StorageError as error:
            if not error.retryable:
                _tell(storage, f"{error}; media is sent through this server until that is mended")
            return None
        _tell(storage, "")
        with _guard:
            _signed[(*version, key)] = found
    return see_other(found.url, min(found.ends - time.monotonic() - MARGIN, most))


def life(storage: ImportStorage) -> int:
    """Seconds that a URL of this storage is signed for: its own setting, within the policy of the server."""
    return min(max(storage.presign_ttl, 1) * 60, settings.PRESIGN_MAX_TTL * 60, WEEK)


def see_other(url: str, age: float) -> HttpResponse:
    """A redirect that a browser may remember for ``age`` seconds."""
    return HttpResponse(
        status=303,
        headers={
            "Location": url,
            "Cache-Control": f"private, max-age={max(round(age), 0)}",
            "Vary": "Authorization, Cookie",
            "Referrer-Policy": "no-referrer",
        },
    )


def _sign(source: Source, key: str, version: tuple[int, int]) -> Signed:
    release_database()  # some signers are asked over the network
    now = time.monotonic()
    url, ttl = signer.sign(source.client, key, life(source.storage), version)
    return Signed(url, now + ttl / 2, now + ttl)


def _tell(storage: ImportStorage, problem: str) -> None:
    """Keeps in the storage's ``presign_problem`` why it cannot sign; written when that changes only."""
    if storage.presign_problem != problem:
        storage.presign_problem = problem
        # not of settings that were changed meanwhile
        ImportStorage.objects.filter(pk=storage.pk, revision=storage.revision).update(presign_problem=problem)
        log.warning("storage %s %s: %s", storage.type, storage.pk, problem or "URLs are signed again")
