"""Canned answers of other object stores for the data-plane figures: pages of a listing, small objects, tokens.

Every page is made once and sent again and again, so that the store costs next to nothing beside the client that is measured.
"""

import json
import re
from functools import lru_cache
from urllib.parse import parse_qs

from tests.benchmarks.stub_answers import Reply, document

COUNT, SIZE = 100_000, 1024  # objects of every container; bytes of each
BODY = b"x" * SIZE
DATE = "Fri, 02 Jan 2026 03:04:05 GMT"
MEDIA = {"ETag": '"1"', "x-goog-generation": "1", "Last-Modified": DATE, "Content-Type": "application/octet-stream"}


def name(number: int) -> str:
    return f"images/img{number:08d}.jpg"


def answer(target: str) -> Reply | None:
    """The answer of the store whose protocol ``target`` speaks; None if none of them does."""
    path, _, query = target.partition("?")
    parameters = {key: values[0] for key, values in parse_qs(query).items()}
    if path.endswith("/token"):
        return _json({"access_token": "t", "token_type": "Bearer", "expires_in": 3600})
    if re.fullmatch(r"/storage/v1/b/[^/]+/o", path):
        return _json(_google(int(parameters.get("pageToken", 0))))
    if path.startswith("/api/2.0/fs/directories/"):
        return _json(_databricks(int(parameters.get("page_token", 0))))
    if parameters.get("comp") == "list":
        return document(200, _azure(int(parameters.get("marker", 0))))
    if path.startswith(("/download/storage/", "/api/2.0/fs/files/", "/azureaccount/")):
        return Reply(200, MEDIA, BODY)
    return None


def _json(value: str | dict) -> Reply:
    body = value if isinstance(value, str) else json.dumps(value)
    return document(200, body.encode(), "application/json")


@lru_cache(maxsize=256)
def _google(start: int, most: int = 1000) -> str:
    """Cloud Storage JSON API, Objects: list."""
    items = [
        {
            "name": name(n),
            "size": str(SIZE),
            "updated": "2026-01-02T03:04:05.678Z",
            "generation": "1",
            "contentType": "image/jpeg",
        }
        for n in range(start, min(start + most, COUNT))
    ]
    more = {"nextPageToken": str(start + most)} if start + most < COUNT else {}
    return json.dumps({"items": items} | more)


@lru_cache(maxsize=256)
def _databricks(start: int, most: int = 1000) -> str:
    """Files API 2.0, List directory contents."""
    top = "/Volumes/main/default/bench/"
    entries = [
        {"path": top + name(n), "name": name(n).rpartition("/")[2], "file_size": SIZE, "last_modified": 1767323045000}
        for n in range(start, min(start + most, COUNT))
    ]
    more = {"next_page_token": str(start + most)} if start + most < COUNT else {}
    return json.dumps({"contents": entries} | more)


@lru_cache(maxsize=64)
def _azure(start: int, most: int = 5000) -> bytes:
    """Blob service REST API, List Blobs, with the properties of a usual block blob."""
    end = min(start + most, COUNT)
    blobs = "".join(_blob(n) for n in range(start, end))
    marker = f"<NextMarker>{end}</NextMarker>" if end < COUNT else "<NextMarker />"
    return (
        '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="http://127.0.0.1/" ContainerName="bench">'
        f"<Prefix>images/</Prefix><MaxResults>{most}</MaxResults><Blobs>{blobs}</Blobs>{marker}</EnumerationResults>"
    ).encode()


def _blob(number: int) -> str:
    properties = {
        "Creation-Time": DATE, "Last-Modified": DATE, "Etag": "0x8DE49A1B2C3D4E5", "Content-Length": SIZE,
        "Content-Type": "image/jpeg", "Content-Encoding": "", "Content-Language": "", "Content-CRC64": "",
        "Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg==", "Cache-Control": "", "Content-Disposition": "", "BlobType": "BlockBlob",
        "AccessTier": "Hot", "AccessTierInferred": "true", "LeaseStatus": "unlocked", "LeaseState": "available",
        "ServerEncrypted": "true",
    }  # fmt: skip
    inner = "".join(f"<{key}>{value}</{key}>" for key, value in properties.items())
    return f"<Blob><Name>{name(number)}</Name><Properties>{inner}</Properties><OrMetadata /></Blob>"
