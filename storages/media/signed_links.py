"""Links that carry their own permission, for ``<img>`` and ``<video>`` tags of pages without our cookie or a token.

A link is bound to user, task, storage and URI and ends by itself; taking its key out of MEDIA_LINK_KEYS ends all of that
key. Knows no database: whether the user may still see the storage is asked by storages.media.grants.
"""

import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac
from rest_framework.exceptions import PermissionDenied

from storages.media import uris

SALT = "storages.media.signed_links"
REFUSED = "This media link is not valid or has expired; load the task again to get a new one."


class Grant(NamedTuple):
    """What a link permits until ``expires`` (seconds since 1970): one user to read one URI of one task through one storage."""

    user: int
    task: int
    storage: int
    expires: int
    fileuri: str


def query_of(uri: str, *, task: int, storage: int, user: int) -> str:
    """The query string of a link to ``uri``. The same within half a life of it, so that browsers can keep the answer."""
    step = max(settings.MEDIA_LINK_TTL // 2, 1)
    grant = Grant(user, task, storage, (int(time.time()) // step + 2) * step, uris.encode(uri))
    fields = {
        "user": user,
        "storage": storage,
        "expires": grant.expires,
        "signature": _signature(grant, settings.MEDIA_LINK_KEYS[0]),
    }
    return f"fileuri={grant.fileuri}&{urlencode(fields)}"


def read(task: int, query: Mapping[str, str]) -> Grant:
    """What a link to ``/tasks/<task>/resolve/`` with this query permits. Raises PermissionDenied."""
    try:
        numbers = [int(query[name]) for name in ("user", "storage", "expires")]
        grant = Grant(numbers[0], task, numbers[1], numbers[2], query["fileuri"])
    except (KeyError, ValueError):
        raise PermissionDenied(REFUSED) from None
    given = query.get("signature", "")
    if not any(constant_time_compare(given, _signature(grant, key)) for key in settings.MEDIA_LINK_KEYS):
        raise PermissionDenied(REFUSED)
    if grant.expires < time.time():
        raise PermissionDenied(REFUSED)
    return grant


def left(grant: Grant) -> float:
    """Seconds until the link ends."""
    return grant.expires - time.time()


def _signature(grant: Grant, key: str) -> str:
    """HMAC-SHA-256; the base64 of the URI comes last, so no two grants read alike."""
    return salted_hmac(SALT, "\n".join(map(str, grant)), secret=key, algorithm="sha256").hexdigest()
