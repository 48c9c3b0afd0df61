"""The client of one S3 bucket; knows no Django model and no settings."""

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from storages import egress, errors
from storages.backends import s3_protocol as s3
from storages.client import Capabilities, Client, ObjectInfo, ObjectStream, Page, Readable

RETRIES, PAGE_SIZE = 3, 1000  # ListObjectsV2 answers 1,000 keys at most
RETRY = {
    "backoff_factor": 0.3,
    "allowed_methods": None,  # all of ours may be repeated
    "raise_on_status": False,
    "retry_after_max": 10,  # seconds; an endpoint must not put our threads to sleep for longer
    "status_forcelist": (429, 500, 502, 503, 504),
}
ANSWER_LIMIT, ANSWER_TIME = 16 * 1024**2, 60  # bytes and seconds of a listing; 1,000 keys of 1,024 bytes are 2 MB


class Body(Readable):
    """The bytes of a GET answer; a connection that breaks off raises Unavailable instead of ending short."""

    def __init__(self, response: Any, host: str) -> None:
        self.response, self.host = response, host

    def read(self, size: int = -1) -> bytes:
        with s3.translated(self.host):
            return self.response.read(None if size < 0 else size)

    def close(self) -> None:
        self.response.close()
        self.response.release_conn()


class S3Client(Client):
    """One bucket, reached with one identity."""

    scheme = "s3"
    capabilities = Capabilities(presign=True)

    def __init__(self, bucket: str, root: str, region: str, endpoint: str, credentials: Any, kms_key: str = "") -> None:
        self.container, self.root = bucket, root
        self.address = s3.Address(bucket, region, endpoint)
        self.credentials, self.kms_key = credentials, kms_key

    def __repr__(self) -> str:
        return f"S3Client(s3://{self.container}/{self.root})"

    def probes(self, *, write: bool, delete: bool) -> Iterator[tuple[str, Callable[[], object]]]:
        yield "list", lambda: s3.parse_list(self._answer("GET", "", "list", query=self._query() | {"max-keys": "1"})[1])
        yield from itertools.islice(super().probes(write=write, delete=delete), 1, None)

    def _query(self) -> dict[str, str]:
        return {"list-type": "2", "encoding-type": "url", "max-keys": str(PAGE_SIZE), "prefix": self.root}

    def list(self, *, recursive: bool, after: str = "") -> Iterator[Page]:
        query = self._query()
        if not recursive:
            query["delimiter"] = "/"
        if after:
            query["start-after"] = after
        while True:
            page = s3.parse_list(self._answer("GET", "", "list", query=query)[1])
            if not page.truncated:
                yield Page(page.objects, "")
                return
            if not page.token or page.token == query.get("continuation-token"):
                raise errors.Unavailable("the endpoint's listing does not go on: its continuation token is missing or repeats")
            yield Page(page.objects, page.last)
            query["continuation-token"] = page.token
            query.pop("start-after", None)

    def stat(self, key: str) -> ObjectInfo:
        return s3.info_of(key, self._answer("HEAD", key, "read")[0].headers)

    def open(self, key: str, start: int = 0, end: int | None = None) -> ObjectStream:
        ranged = start > 0 or end is not None
        headers = {"Range": f"bytes={start}-{'' if end is None else end}"} if ranged else {}
        response = self._send("GET", key, "read", headers=headers, accept=(416,))
        if response.status == 416:
            return self._beyond(key, start, response)
        info = s3.info_of(key, response.headers)
        if ranged and response.status == 200:
            response.close()
            raise errors.Unavailable(f"{self.address.endpoint or 'S3'} ignored the byte range")
        last = info.size - 1 if end is None else min(end, info.size - 1)
        return ObjectStream(info, start, last, Body(response, self._host()))

    def _beyond(self, key: str, start: int, response: Any) -> ObjectStream:
        """A 416: the empty object for a range from 0, else RangeNotSatisfiable with the size."""
        response.drain_conn()
        response.release_conn()
        info = self.stat(key)
        if start == 0 and info.size == 0:
            return ObjectStream(info, 0, -1, Body(response, self._host()))
        raise errors.RangeNotSatisfiable(f"{key} has {info.size} bytes", size=info.size)

    def write(self, key: str, data: bytes, content_type: str = "application/json") -> None:
        headers = {"Content-Type": content_type}
        if self.kms_key:
            headers["x-amz-server-side-encryption"] = "aws:kms"
            headers["x-amz-server-side-encryption-aws-kms-key-id"] = self.kms_key
        self._answer("PUT", key, "write", headers=headers, body=data)

    def delete(self, key: str) -> None:
        self._answer("DELETE", key, "delete", accept=(404,))

    def presign(self, key: str, ttl: int) -> str:
        import mimetypes

        kind, _ = mimetypes.guess_type(key)
        url = self.address.url(key, {"response-content-type": kind} if kind else None)
        return s3.sign_url(url, ttl, self.credentials, self.address.region)

    def _answer(self, method: str, key: str, verb: str, **options: Any) -> tuple[Any, bytes]:
        """The answer of ``_send`` with its whole body, which is small."""
        response = self._send(method, key, verb, **options)
        return response, self._content(response, ANSWER_LIMIT)

    def _send(
        self,
        method: str,
        key: str,
        verb: str,
        *,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        accept: tuple[int, ...] = (),
    ) -> Any:
        """One signed request, retried when throttled or broken off; its body is still to be read.

        Raises our error for any status but 2xx and ``accept``.
        """
        from urllib3 import Retry

        if not {".", ".."}.isdisjoint(key.split("/")):
            raise errors.Malformed(f"{key!r} has a '.' or '..' part, which HTTP clients fold; rename the object")
        url = self.address.url(key, query)
        signed = s3.sign(method, url, dict(headers or {}), body, self.credentials, self.address.region)
        retry = Retry(RETRIES, redirect=False, **RETRY)
        options = {"preload_content": False, "redirect": False, "decode_content": False}
        with s3.translated(self._host()):
            response = egress.shared_pool().request(method, url, body=body or None, headers=signed, retries=retry, **options)
        if response.status < 300 or response.status in accept:
            return response
        code, region = s3.parse_error(self._content(response, ANSWER_LIMIT))
        region = response.headers.get("x-amz-bucket-region") or region
        target = f"s3://{self.container}/{key or self.root}"
        raise s3.failure(response.status, code, verb, target, "" if region == self.address.region else region)

    def _content(self, response: Any, limit: int) -> bytes:
        """The rest of a body of at most ``limit`` bytes, within ANSWER_TIME; whatever the endpoint sends."""
        pieces, size, until = [], 0, time.monotonic() + ANSWER_TIME
        with s3.translated(self._host()):
            try:
                while piece := response.read1(65536):
                    pieces.append(piece)
                    size += len(piece)
                    if size > limit or time.monotonic() > until:
                        response.close()
                        raise errors.Unavailable(f"{self._host()} sends too much or too slowly to be S3; check s3_endpoint")
            finally:
                response.release_conn()
        return b"".join(pieces)

    def _host(self) -> str:
        return urlsplit(self.address.url()).netloc
