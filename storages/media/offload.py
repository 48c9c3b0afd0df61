"""Hands the transfer of an object over to the nginx in front of this server, which then knows where, what and which version.

deploy/nginx.conf is the other side of these headers. nginx looks no name up and decides nothing: it connects to the address
that was vetted here, asks for the bytes and the version that were chosen here, and answers with the headers made here.
"""

import ipaddress
import re
from datetime import timedelta
from threading import Lock
from typing import NamedTuple
from urllib.parse import urlsplit

from cachetools import TTLCache
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.http import http_date

from storages import egress
from storages.client import Client, ObjectInfo
from storages.errors import StorageError
from storages.media import content, signer
from storages.media.headers import described

TAG = re.compile(r"[\x21\x23-\x7e\x80-\xff]+")  # RFC 9110 §8.8.3, etagc
PLACE = "/_media"  # the internal location of deploy/nginx.conf
LIFE = 300  # seconds that the URL is signed for; nginx uses it at once
KEPT = 3  # seconds that an object's size, version and address are believed: seeking in a video asks for all of them each time
KEPT_BY_NGINX = ("Content-Type", "Content-Disposition", "Accept-Ranges", "Cache-Control")  # an error page would have them too
PORTS = {"http": 80, "https": 443}


class Handover(NamedTuple):
    """An object, its signed URL, and the vetted address of the URL's host; ``pin``: the header that names the version."""

    info: ObjectInfo
    url: str
    address: str
    pin: tuple[str, str]


_guard = Lock()
_kept: TTLCache = TTLCache(maxsize=10_000, ttl=KEPT)  # (client, key) → Handover


def prepare(request: HttpRequest, client: Client, key: str, storage_id: int) -> Handover | None:
    """What nginx needs to fetch ``key`` itself; None where the bytes must go through this process. Raises StorageError.

    Only nginx says ``X-Offload: nginx``, so that whoever asks this server directly is never sent an empty answer.
    """
    if not settings.RESOLVER_PROXY_OFFLOAD or request.headers.get("X-Offload") != settings.RESOLVER_PROXY_OFFLOAD:
        return None
    if request.method != "GET" or not client.capabilities.presign:
        return None
    with _guard:
        found = _kept.get((client, key))
    if found is None and (found := _prepare(client, key, storage_id)) is not None:
        with _guard:
            _kept[client, key] = found
    return found


def _prepare(client: Client, key: str, storage_id: int) -> Handover | None:
    try:
        url, life = signer.sign(client, key, LIFE, ("nginx", storage_id))
    except StorageError:
        return None
    parts = urlsplit(url)
    host = parts.hostname or ""
    if life <= KEPT or (parts.scheme == "https" and _is_address(host)):  # nginx verifies names only
        return None
    info = client.stat(key)
    if not info.size or not (pin := _pin(client, info)):
        return None
    addresses = egress.resolve(host, parts.port or PORTS[parts.scheme])
    # nginx cannot try a second one, and a machine with IPv6 addresses often has no way out for them
    address = next((one for one in addresses if ":" not in one), f"[{addresses[0]}]")
    return Handover(info, url, address, pin)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _pin(client: Client, info: ObjectInfo) -> tuple[str, str] | None:
    """The header that makes the storage refuse another version (RFC 9110 §13.1.1, §13.1.4); None if nothing tells versions."""
    if client.capabilities.if_match and TAG.fullmatch(info.etag) and not info.etag.startswith("W/"):
        return "If-Match", f'"{info.etag}"'
    if info.modified and not client.capabilities.if_match:
        whole = info.modified + timedelta(seconds=1)  # an HTTP date has no fractions: rounded down, it may lie before itself
        return "If-Unmodified-Since", http_date(whole.timestamp())
    return None


def hand_over(found: Handover, offsets: tuple[int, int] | None, storage_id: int) -> HttpResponse:
    """An answer without a body that makes nginx fetch the bytes ``offsets`` (first and last), or all, and send them."""
    parts = urlsplit(found.url)
    port = parts.port or PORTS[parts.scheme]
    response = described(HttpResponse(status=206 if offsets else 200), found.info, storage_id)
    for name in KEPT_BY_NGINX:
        response[f"X-Media-{name}"] = response[name]
        del response[name]
    response["X-Accel-Redirect"] = PLACE
    response["X-Media-Version"] = settings.VERSION
    response["X-Media-URL"] = f"{parts.scheme}://{found.address}:{port}{parts.path}?{parts.query}"  # byte for byte as signed
    host = parts.netloc.lower()
    response["X-Media-Host"] = host.removesuffix(f":{port}") if port == PORTS[parts.scheme] else host
    response[f"X-Media-{found.pin[0]}"] = found.pin[1]
    response["X-Media-Accept-Encoding"] = content.coding(found.info) or "identity"  # the bytes as they are stored
    if offsets:
        response["X-Media-Range"] = f"bytes={offsets[0]}-{offsets[1]}"
    return response
