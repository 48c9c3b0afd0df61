"""The buckets of one Google fake: objects in memory with what their metadata say. Checks no permissions.

Source: Cloud Storage JSON API "Objects", resource representation; "Object name requirements".
"""

import base64
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import google_crc32c

from tests.fakes.claims import Refusal

MAX_NAME_BYTES = 1024  # "Object name requirements", in UTF-8


@dataclass(frozen=True)
class Stored:
    """One generation of an object."""

    name: str
    body: bytes
    content_type: str
    generation: int
    when: datetime
    encoding: str = ""  # "gzip": the body is compressed, and Google may decompress it on the way

    @cached_property
    def crc32c(self) -> str:
        return base64.b64encode(google_crc32c.Checksum(self.body).digest()).decode()

    @cached_property
    def md5(self) -> str:
        return base64.b64encode(hashlib.md5(self.body).digest()).decode()

    @property
    def md5_hex(self) -> str:
        return base64.b64decode(self.md5).hex()

    @property
    def etag(self) -> str:
        """As in JSON and in media answers of the JSON API; the XML API has the quoted MD5 in hex instead."""
        return base64.b64encode(b"\x08" + self.generation.to_bytes(8, "big") + b"\x10\x01").decode()


@dataclass
class Bucket:
    """``origins``: what the CORS rule allows, None without a rule. ``retained``: a retention policy keeps what is there."""

    objects: dict[str, Stored] = field(default_factory=dict)
    origins: list[str] | None = None
    retained: bool = False

    def require_free(self, name: str) -> None:
        """Raises Refusal if the object is there and must be neither deleted nor overwritten ("Bucket Lock")."""
        if self.retained and name in self.objects:
            kept = f"Object '{name}' is subject to bucket's retention policy or object retention"
            raise Refusal(403, "retentionPolicyNotMet", f"{kept} and cannot be deleted or overwritten until its time is over.")


@dataclass
class Store:
    """All buckets. Hold ``lock`` around a precondition and the change it guards."""

    clock: Callable[[], datetime]
    buckets: dict[str, Bucket] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    generation: int = 1_700_000_000_000_000

    def bucket(self, name: str) -> Bucket:
        if name not in self.buckets:
            raise Refusal(404, "notFound", "The specified bucket does not exist.")
        return self.buckets[name]

    def put(self, bucket: str, name: str, body: bytes, content_type: str, encoding: str = "") -> Stored:
        check_name(name)
        with self.lock:
            self.generation += 1
            stored = Stored(name, body, content_type, self.generation, self.clock(), encoding)
            self.bucket(bucket).objects[name] = stored
        return stored

    def find(self, bucket: str, name: str) -> Stored:
        """Raises Refusal 404."""
        stored = self.bucket(bucket).objects.get(name)
        if stored is None:
            raise Refusal(404, "notFound", f"No such object: {bucket}/{name}")
        return stored

    def sorted(self, bucket: str) -> list[Stored]:
        """In the order of listings: by the bytes of the name in UTF-8."""
        with self.lock:
            return sorted(self.bucket(bucket).objects.values(), key=lambda stored: stored.name.encode())


def check_name(name: str) -> None:
    if not 0 < len(name.encode()) <= MAX_NAME_BYTES or name in (".", "..") or set(name) & {"\r", "\n"}:
        raise Refusal(400, "invalid", "The specified object name is not valid.")


def resource_of(bucket: str, stored: Stored) -> dict[str, str]:
    """The object resource; sizes and generations are strings, times RFC 3339 with milliseconds."""
    when = f"{stored.when:%Y-%m-%dT%H:%M:%S}.{stored.when.microsecond // 1000:03}Z"
    return {
        "kind": "storage#object",
        "id": f"{bucket}/{stored.name}/{stored.generation}",
        "name": stored.name,
        "bucket": bucket,
        "generation": str(stored.generation),
        "metageneration": "1",
        "contentType": stored.content_type,
        "storageClass": "STANDARD",
        "size": str(len(stored.body)),
        "md5Hash": stored.md5,
        "crc32c": stored.crc32c,
        "etag": stored.etag,
        "timeCreated": when,
        "updated": when,
        "timeStorageClassUpdated": when,
    } | ({"contentEncoding": stored.encoding} if stored.encoding else {})
