"""V4 signed URLs of Cloud Storage, and a short memory of those that IAM signed; knows no bucket's client.

https://cloud.google.com/storage/docs/access-control/signed-urls: a URL is good for at most 7 days.
"""

import mimetypes
import threading
import time
from collections import OrderedDict
from datetime import timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings

from storages import budget
from storages.providers.google.auth import Identity

WEEK = 604_800  # seconds
IAM_LIFE = 12 * 3600  # seconds: https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob

MOST = 10_000  # URLs kept
# signBlob is limited per minute and project (https://cloud.google.com/iam/quotas), so a URL is handed out again; but no
# longer than browsers are let keep it less than it lives: they may remember a redirect until a minute before its end
KEPT = 60  # seconds

_kept: OrderedDict[tuple, tuple[str, float, float]] = OrderedDict()  # → URL, until when it is handed out, when it ends
_guard = threading.Lock()


def signed_url(identity: Identity, bucket: str, key: str, ttl: int) -> tuple[str, int]:
    """A URL that anyone may GET, and the seconds that are left of its life: at least half of ``ttl``, or all but a minute.

    Raises what the identity raises when it signs. A connection check always asks anew.
    """
    ttl = min(max(ttl, 1), IAM_LIFE if identity.remote else WEEK)
    if not identity.remote:
        return _sign(identity, bucket, key, ttl), ttl
    place = (*identity.parts, settings.GCS_API_ENDPOINT, bucket, key, ttl)
    with _guard:
        url, until, end = _kept.get(place, ("", 0.0, 0.0))
    if (now := time.monotonic()) < until and not budget.current():
        return url, int(end - now)
    url = _sign(identity, bucket, key, ttl)
    with _guard:
        _kept[place] = url, now + min(ttl / 2, KEPT), now + ttl
        _kept.move_to_end(place)
        while len(_kept) > MOST:
            _kept.popitem(last=False)
    return url, ttl


def _sign(identity: Identity, bucket: str, key: str, ttl: int) -> str:
    from google.auth.credentials import Signing

    Signing.register(type(identity))  # it has the methods; to inherit them would load google-auth at start
    kind, _ = mimetypes.guess_type(key)
    return (
        _library()
        .bucket(bucket)
        .blob(key)
        .generate_signed_url(
            version="v4",  # the default is the older scheme
            expiration=timedelta(seconds=ttl),
            method="GET",
            response_type=kind,
            credentials=identity,
            api_access_endpoint=settings.GCS_API_ENDPOINT.rstrip("/"),
        )
    )


@lru_cache(maxsize=1)
def _library() -> Any:
    """Google's client, of which only the arithmetic of signatures is used; it has no credentials and asks nobody."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    return storage.Client(project="unused", credentials=AnonymousCredentials())
