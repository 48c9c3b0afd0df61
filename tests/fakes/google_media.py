"""Bytes of objects over HTTP: whole or one range, with Google's headers. Checks no permissions.

Source: RFC 9110 section 14; Cloud Storage XML API "HTTP headers", JSON API "Objects: get" with alt=media.
"""

import gzip
import re
from email.utils import format_datetime

from tests.fakes.google_errors import sized
from tests.fakes.google_objects import Stored
from tests.fakes.wire import Request, Response


def media(request: Request, stored: Stored, headers: dict[str, str]) -> Response:
    """200, 206 or 416; a Range header that is no single valid byte range is ignored, as RFC 9110 has it.

    Decompressive transcoding ("Transcoding of gzip-compressed files"): whoever does not accept gzip gets a compressed object
    decompressed, all of it whatever the Range.
    """
    size = len(stored.body)
    headers = media_headers(stored) | headers
    if stored.encoding == "gzip":
        if "gzip" not in (request.header("accept-encoding") or ""):
            return sized(200, gzip.decompress(stored.body), headers | {"warning": "214 UploadServer gunzipped"})
        headers["content-encoding"] = "gzip"
    asked = span(request.header("range"), size)
    if asked is None:
        return sized(200, stored.body, headers)
    if not asked:
        return sized(416, b"Request range not satisfiable", {"content-type": "text/html", "content-range": f"bytes */{size}"})
    headers["content-range"] = f"bytes {asked.start}-{asked.stop - 1}/{size}"
    return sized(206, stored.body[asked.start : asked.stop], headers)


def span(header: str | None, size: int) -> range | None:
    """The bytes that a Range header asks for, empty if there are none, None if it asks for nothing in particular."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", (header or "").strip())
    if match is None or match[0] == "bytes=-":
        return None
    if not match[1]:
        return range(max(0, size - int(match[2])), size)
    first, last = int(match[1]), int(match[2] or max(size - 1, int(match[1])))
    return range(first, min(last + 1, size)) if first <= last else None


def media_headers(stored: Stored) -> dict[str, str]:
    return {
        "content-type": stored.content_type,
        "etag": stored.etag,
        "last-modified": format_datetime(stored.when, usegmt=True),
        "accept-ranges": "bytes",
        "x-goog-generation": str(stored.generation),
        "x-goog-metageneration": "1",
        "x-goog-stored-content-encoding": stored.encoding or "identity",
        "x-goog-stored-content-length": str(len(stored.body)),
        "x-goog-storage-class": "STANDARD",
        "x-goog-hash": f"crc32c={stored.crc32c},md5={stored.md5}",
    }
