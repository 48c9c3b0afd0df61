"""The three ways to upload of the JSON API: media, multipart, resumable. Whether one may is asked of ``admit``.

Source: Cloud Storage "Upload objects": single-request, multipart and resumable uploads; JSON API "Objects: insert".
"""

import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.claims import Refusal
from tests.fakes.google_errors import reply, sized
from tests.fakes.google_fields import OBJECT, select
from tests.fakes.google_objects import Store, Stored, check_name, resource_of
from tests.fakes.wire import Request, Response

CHUNK = 256 * 1024  # every chunk but the last is a multiple: "Resumable uploads", chunk size
DEFAULT_TYPE = "application/octet-stream"
Admit = Callable[[str], None]  # takes an object's name, raises Refusal if the caller may not write it or conditions fail


@dataclass
class Session:
    """A resumable upload in progress; ``admit`` holds the caller and conditions it was opened with."""

    bucket: str
    metadata: dict[str, Any]
    admit: Admit
    body: bytearray = field(default_factory=bytearray)


@dataclass
class Uploads:
    store: Store
    scheme: str = "http"
    sessions: dict[str, Session] = field(default_factory=dict)

    def answer(self, request: Request, bucket: str, admit: Admit) -> Response:
        """Starts, and unless it is resumable also ends, an upload."""
        kind, content_type = request.parameter("uploadType"), request.header("content-type") or DEFAULT_TYPE
        if kind == "media":
            metadata, body = {"contentType": content_type}, request.body
        elif kind == "multipart":
            metadata, body = split_related(content_type, request.body)
        elif kind == "resumable":
            metadata, body = parsed(request.body or b"{}"), b""
            metadata.setdefault("contentType", request.header("x-upload-content-type") or DEFAULT_TYPE)
        else:
            raise Refusal(400, "badRequest", "Bad Request: uploadType must be media, multipart or resumable.")
        metadata["name"] = request.parameter("name") or metadata.get("name") or ""
        check_name(metadata["name"])
        admit(metadata["name"])
        if kind == "resumable":
            return self.open(request, Session(bucket, metadata, admit))
        return self.finish(request, Session(bucket, metadata, admit, bytearray(body)))

    def open(self, request: Request, session: Session) -> Response:
        identifier = secrets.token_urlsafe(24)
        self.sessions[identifier] = session
        target = f"{self.scheme}://{request.header('host')}{request.path}?uploadType=resumable&upload_id={identifier}"
        return sized(200, headers={"location": target, "x-guploader-uploadid": identifier})

    def resume(self, request: Request) -> Response:
        """One PUT to a session: 308 with what is stored so far, or the finished object."""
        session = self.sessions.get(request.parameter("upload_id") or "")
        match = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", request.header("content-range") or "")
        if session is None:
            raise Refusal(404, "notFound", "Upload session not found.")
        if match is None or (match[1] and int(match[2]) - int(match[1]) + 1 != len(request.body)):
            raise Refusal(400, "badRequest", "Failed to parse Content-Range header.")
        if match[1]:
            if int(match[1]) != len(session.body) or (match[3] == "*" and len(request.body) % CHUNK):
                raise Refusal(400, "badRequest", "Invalid request: chunks follow each other and are multiples of 256 KiB.")
            session.body += request.body
        if match[3] == str(len(session.body)):
            del self.sessions[request.parameter("upload_id") or ""]
            return self.finish(request, session)
        return sized(308, headers={"range": f"bytes=0-{len(session.body) - 1}"} if session.body else {})

    def finish(self, request: Request, session: Session) -> Response:
        name, content_type = session.metadata["name"], session.metadata.get("contentType") or DEFAULT_TYPE
        made = Stored(name, bytes(session.body), content_type, 0, self.store.clock())
        check_hashes(request, session.metadata, made)
        with self.store.lock:
            session.admit(name)
            stored = self.store.put(session.bucket, name, made.body, content_type)
        resource = resource_of(session.bucket, stored)
        return reply(select(resource, request.parameter("fields"), OBJECT), headers={"etag": stored.etag})


def check_hashes(request: Request, metadata: dict[str, Any], made: Stored) -> None:
    """The checksums that the client sent, in the metadata or in x-goog-hash, must be those of the bytes."""
    sent = dict(part.strip().split("=", 1) for part in (request.header("x-goog-hash") or "").split(",") if "=" in part)
    for label, claimed, right in (
        ("CRC32C", metadata.get("crc32c") or sent.get("crc32c"), made.crc32c),
        ("MD5 hash", metadata.get("md5Hash") or sent.get("md5"), made.md5),
    ):
        if claimed is not None and claimed != right:
            raise Refusal(400, "invalid", f'Provided {label} "{claimed}" doesn\'t match calculated {label} "{right}".')


def split_related(content_type: str, body: bytes) -> tuple[dict[str, Any], bytes]:
    """(metadata, bytes) of a multipart/related body of exactly two parts (RFC 2387)."""
    boundary = re.search(r'multipart/related;.*boundary="?([^";]+)"?', content_type)
    parts = body.split(b"--" + boundary[1].encode("latin-1")) if boundary else []
    if len(parts) != 4 or parts[3].strip() != b"--" or not all(b"\r\n\r\n" in part for part in parts[1:3]):
        raise Refusal(400, "badContent", "Malformed multipart body.")
    (head, metadata), (media_head, content) = (part.split(b"\r\n\r\n", 1) for part in parts[1:3])
    media_type = re.search(rb"(?i)^content-type:\s*(.+?)\s*$", media_head, re.MULTILINE)
    document = parsed(metadata)
    document.setdefault("contentType", media_type[1].decode("latin-1") if media_type else DEFAULT_TYPE)
    return document, content.removesuffix(b"\r\n")


def parsed(text: bytes) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise Refusal(400, "parseError", "Parse Error") from error
    if not isinstance(document, dict):
        raise Refusal(400, "parseError", "Parse Error")
    return document
