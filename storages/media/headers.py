"""The headers that describe an object to a browser, the same for 200, 206, 304 and HEAD."""

import hashlib

from django.conf import settings
from django.http.response import HttpResponseBase
from django.utils.http import http_date

from storages.client import ObjectInfo
from storages.media import content

SANDBOX = "default-src 'none'; sandbox"
VIEWER = "default-src 'none'; frame-ancestors 'self'"  # PDF: viewers refuse to work in a sandbox, and our pages frame them


def etag(info: ObjectInfo, storage_id: int) -> str:
    """A strong validator (unquoted) that changes with the object's version; "" if nothing tells versions apart."""
    version = info.etag or (info.modified.isoformat() if info.modified else "")
    if not version:
        return ""
    return hashlib.blake2b(f"{storage_id}\n{info.size}\n{version}".encode(), digest_size=16).hexdigest()


def described(response: HttpResponseBase, info: ObjectInfo, storage_id: int) -> HttpResponseBase:
    """``response`` with the headers that 200, 206, 304 and HEAD share."""
    if version := etag(info, storage_id):
        response["ETag"] = f'"{version}"'
    if info.modified:
        response["Last-Modified"] = http_date(info.modified.timestamp())
    response["Content-Type"] = content.media_type(info)
    if coding := content.coding(info):
        response["Content-Encoding"] = coding
    response["Content-Disposition"] = content.disposition(info)
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = f"private, max-age={settings.RESOLVER_PROXY_CACHE_TIMEOUT}, must-revalidate"
    response["Vary"] = "Authorization, Cookie"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = SANDBOX
    if response["Content-Type"] == content.PDF:
        response["Content-Security-Policy"] = VIEWER
        response["X-Frame-Options"] = "SAMEORIGIN"
    return response
