"""S3's operations on the buckets of the benchmark store: list, get, head, put, delete; no signatures, no sockets.

Shapes: S3 API Reference ListObjectsV2, GetObject, "Error responses".
"""

import base64
import binascii
import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from urllib.parse import parse_qsl, unquote

from tests.benchmarks.stub_buckets import LAST, Bucket, Buckets, Stored, shown, stored

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
MAX_KEYS = 1000  # S3 API Reference ListObjectsV2: at most 1,000 keys a page


@dataclass
class Reply:
    """One answer; ``body`` is never copied, HEAD sends its length only."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | memoryview = b""


class Store:
    """Answers one request at a time; ``counts`` are served at /-/counts."""

    def __init__(self, buckets: Buckets) -> None:
        self.buckets = buckets
        self.counts: Counter[str] = Counter()

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        """``target`` as in the request line, header names in lower case."""
        self.counts[method] += 1
        self.counts["bytes_in"] += len(body)
        path, _, query = target.partition("?")
        if path == "/-/counts":
            return document(200, json.dumps(self.counts).encode(), "application/json")
        if (method, path) == ("PUT", "/-/generation"):
            return self.renew(query)
        name, _, key = unquote(path.lstrip("/")).partition("/")
        if key and method in ("GET", "HEAD"):
            return self.read(name, key, headers)
        if key and method == "PUT":
            return self.write(name, key, headers, body)
        if key and method == "DELETE":
            return self.remove(name, key)
        if method == "GET" and "list-type=2" in query:
            return listing(name, self.buckets.bucket(name), dict(parse_qsl(query, keep_blank_values=True)))
        return Reply(200) if method == "HEAD" else error(501, "NotImplemented")

    def renew(self, query: str) -> Reply:
        """``percent``: how many of every hundred generated objects change, 0 to 100; 0 undoes all changes."""
        try:
            percent = float(dict(parse_qsl(query))["percent"])
        except (KeyError, ValueError):
            percent = -1
        if not 0 <= percent <= 100:
            return error(400, "InvalidArgument")
        return document(200, json.dumps({"generation": self.buckets.renew(percent)}).encode(), "application/json")

    def read(self, name: str, key: str, headers: dict[str, str]) -> Reply:
        thing = self.buckets.bucket(name).find(key)
        if thing is None:
            return error(404, "NoSuchKey")
        if headers.get("if-match", thing.etag).strip('"') not in (thing.etag, "*"):
            return error(412, "PreconditionFailed")
        if thing.body is None:
            return error(410, "BodyDropped")  # an old write beyond the cap: only its size is still known
        span = span_of(headers.get("range"), thing.size)
        if span is None:
            return error(416, "InvalidRange", {"Content-Range": f"bytes */{thing.size}"})
        status, start, end = span
        reply = Reply(status, described(thing), memoryview(thing.body)[start : end + 1])
        if status == 206:
            reply.headers["Content-Range"] = f"bytes {start}-{end}/{thing.size}"
        self.counts["bytes_out"] += len(reply.body)
        return reply

    def write(self, name: str, key: str, headers: dict[str, str], body: bytes) -> Reply:
        shelf = self.buckets.writable(name)
        if shelf is None:
            return error(403, "AccessDenied")
        if headers.get("if-none-match") == "*" and shelf.find(key):
            return error(412, "PreconditionFailed")
        thing = stored(body, headers.get("content-type", "binary/octet-stream"), time.time())
        shelf.put(key, thing)
        return Reply(200, {"ETag": f'"{thing.etag}"'})

    def remove(self, name: str, key: str) -> Reply:
        shelf = self.buckets.writable(name)
        if shelf is None:
            return error(403, "AccessDenied")
        shelf.remove(key)
        return Reply(204)


def span_of(header: str | None, size: int) -> tuple[int, int, int] | None:
    """(status, first, last) of a single Range (RFC 9110 section 14.1.2); what is no such range gets everything, None is 416."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header or "")
    if match is None or match[1] == match[2] == "":
        return 200, 0, size - 1
    if match[1] == "":
        start, end = max(size - int(match[2]), 0), size - 1
        return (206, start, end) if int(match[2]) and size else None
    start, end = int(match[1]), min(int(match[2] or size - 1), size - 1)
    return (206, start, end) if start < size else None


def described(thing: Stored) -> dict[str, str]:
    return {
        "ETag": f'"{thing.etag}"',
        "Last-Modified": formatdate(thing.modified, usegmt=True),
        "Content-Type": thing.content_type,
        "Accept-Ranges": "bytes",
    }


def document(status: int, body: bytes, content_type: str = "application/xml", headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, {"Content-Type": content_type, **(headers or {})}, body)


def error(status: int, code: str, headers: dict[str, str] | None = None) -> Reply:
    return document(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode(), headers=headers)


def listing(name: str, bucket: Bucket, query: dict[str, str]) -> Reply:
    """One page of ListObjectsV2."""
    token = query.get("continuation-token")
    try:
        after = base64.urlsafe_b64decode(token).decode() if token else query.get("start-after", "")
        limit = min(int(query.get("max-keys") or MAX_KEYS), MAX_KEYS)
    except (binascii.Error, ValueError):
        return error(400, "InvalidArgument")
    encode = query.get("encoding-type") == "url"
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    positions, folders, last = page(bucket, prefix, delimiter, after, limit)
    truncated = limit > 0 and bool(bucket.span(prefix, last))
    parts = [
        f"<Name>{name}</Name><Prefix>{shown(prefix, encode)}</Prefix><MaxKeys>{limit}</MaxKeys>",
        f"<KeyCount>{len(positions) + len(folders)}</KeyCount><IsTruncated>{str(truncated).lower()}</IsTruncated>",
        "<EncodingType>url</EncodingType>" if encode else "",
        f"<Delimiter>{shown(delimiter, encode)}</Delimiter>" if delimiter else "",
        f"<NextContinuationToken>{base64.urlsafe_b64encode(last.encode()).decode()}</NextContinuationToken>" if truncated else "",
        bucket.rows(positions, encode=encode),
        *[f"<CommonPrefixes><Prefix>{shown(folder, encode)}</Prefix></CommonPrefixes>" for folder in folders],
    ]
    return document(200, f"{HEAD}{''.join(parts)}</ListBucketResult>".encode())


def page(bucket: Bucket, prefix: str, delimiter: str, after: str, limit: int) -> tuple[Sequence[int], list[str], str]:
    """(positions of keys, folders, what the next page starts behind), at most ``limit`` keys and folders."""
    span = bucket.span(prefix, after)
    if not delimiter:
        positions = span[:limit]
        return positions, [], bucket.key(positions[-1]) if positions else after
    found: list[int] = []
    folders: list[str] = []
    while span and len(found) + len(folders) < limit:
        key = bucket.key(span[0])
        folder, mark, _ = key[len(prefix) :].partition(delimiter)
        if mark:
            folders.append(f"{prefix}{folder}{delimiter}")
            after = folders[-1] + LAST
            span = bucket.span(prefix, after)
        else:
            found.append(span[0])
            after, span = key, span[1:]
    return found, folders, after
