"""What every object store with an HTTP API has in common: vetted connections, retries, ranges, bounded answers.

A backend gives the URL of an object, the headers that authorize a request, and its table of error codes.
Sources: RFC 9110 §14 (range requests), §15.5.17 (416).
"""

import time
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from storages import budget, egress, errors, watchdog
from storages.client import Client, ObjectInfo, ObjectStream
from storages.meter import Meter
from storages.providers import answers
from storages.providers.body import Body
from storages.providers.dates import parse_http_date
from storages.providers.failures import retry_after, translated

RETRIES = 3
RETRY = {
    "connect": 1,  # a host that does not answer is waited for twice, not four times
    "read": 1,
    "backoff_factor": 0.3,
    "allowed_methods": None,  # all of ours may be repeated
    "raise_on_status": False,
    "retry_after_max": 10,  # seconds; an endpoint must not put our threads to sleep for longer
    "status_forcelist": (429, 500, 502, 503, 504),
}
ANSWER_LIMIT, ANSWER_TIME = 16 * 1024**2, 60  # bytes and seconds of a listing; 1,000 keys of 1,024 bytes are 2 MB
STATUS_KINDS: dict[int, type[errors.StorageError]] = {
    301: errors.ConfigInvalid,
    302: errors.ConfigInvalid,
    303: errors.ConfigInvalid,
    307: errors.ConfigInvalid,
    308: errors.ConfigInvalid,
    400: errors.ConfigInvalid,
    401: errors.BadCredentials,
    403: errors.AccessDenied,
    404: errors.NotFound,
    429: errors.Throttled,
    503: errors.Throttled,
    507: errors.Full,  # RFC 4918 §11.5
}


class Counted(egress.Patience):
    """Counts every repetition of a request."""

    meter: Meter

    def new(self, **changes: Any) -> "Counted":
        made = super().new(**changes)
        made.meter = self.meter
        return made

    def increment(self, *args: Any, **options: Any) -> "Counted":
        following = super().increment(*args, **options)
        self.meter.count(requests=1)
        return following


class HTTPClient(Client):
    """One container behind an HTTP API, reached with one identity."""

    codes: ClassVar[Mapping[str, type[errors.StorageError]]] = {}  # the provider's error codes
    causes: ClassVar[Mapping[str, str]] = {}  # of those codes that no permission changes: what is in the way, what to do
    no_object = ""  # the code that says that the object alone is missing, where there is one
    host_field: str | None = None  # the setting that names the host, where the user does
    _host = ""
    chunk: int | None = None  # most bytes of one read of a stream
    timeout: tuple[float, float] = (egress.CONNECT_TIMEOUT, egress.READ_TIMEOUT)  # seconds to connect, between two bytes

    @abstractmethod
    def url(self, key: str = "", query: Mapping[str, str] | None = None) -> str:
        """The URL of an object, or of the container if ``key`` is empty; every byte outside the unreserved set escaped."""

    @abstractmethod
    def authorize(self, method: str, url: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
        """``headers`` and what proves our identity. Raises BadCredentials, Unavailable (of a token service)."""

    def code_of(self, headers: Mapping[str, str], body: bytes) -> str:
        """The provider's error code of an answer, "" if it has none."""
        return ""

    def renew(self) -> bool:
        """Drops what the provider just rejected; True if another attempt would show something newer."""
        return False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.uri(self.root)})"

    def connections(self) -> Any:
        """The pool: process-wide, but a checked connection gets one of its own, which ends with its budget."""
        return egress.pool() if budget.current() else egress.shared_pool()

    def stat(self, key: str) -> ObjectInfo:
        return self.info_of(key, self.answer("HEAD", self.url(key), "read", key)[0].headers)

    def open(self, key: str, start: int = 0, end: int | None = None) -> ObjectStream:
        ranged = start > 0 or end is not None
        headers = {"Range": f"bytes={start}-{'' if end is None else end}"} if ranged else {}
        response = self.send("GET", self.media_url(key), "read", key, headers=headers, accept=(416,))
        body = Body(response, self.host(), self.meter, self.chunk)
        if response.status == 416:
            body.close()
            return self._beyond(key, start, body)
        if not answers.holds(response, start if ranged else None):
            body.close()
            raise errors.Unavailable(f"{self.host()} sent another byte range of {key} than it was asked for")
        info = self.info_of(key, response.headers)
        return ObjectStream(info, start, info.size - 1 if end is None else min(end, info.size - 1), body)

    def media_url(self, key: str) -> str:
        """Where the bytes of an object are read, if that is not its ``url``."""
        return self.url(key)

    def _beyond(self, key: str, start: int, body: Body) -> ObjectStream:
        """A 416: the empty object for a range from 0, else RangeNotSatisfiable with the size."""
        info = self.stat(key)
        if start == 0 and info.size == 0:
            return ObjectStream(info, 0, -1, body)
        raise errors.RangeNotSatisfiable(f"{key} has {info.size} bytes", size=info.size)

    def delete(self, key: str) -> None:
        """A container that is missing is no deleted object: what was in it may come back with it."""
        response, body = self.answer("DELETE", self.url(key), "delete", key, accept=(404,))
        if response.status == 404 and self.code_of(response.headers, body) != self.no_object:
            self.require_container()

    def require_container(self) -> None:
        """Raises NotFound if the container is gone."""
        self.try_list(wanted=False)

    def answer(self, method: str, url: str, verb: str, key: str = "", **options: Any) -> tuple[Any, bytes]:
        """The answer of ``send`` with its whole body, which is small."""
        response = self.send(method, url, verb, key, **options)
        return response, self.content(response, ANSWER_LIMIT)

    def send(
        self,
        method: str,
        url: str,
        verb: str,
        key: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        accept: tuple[int, ...] = (),
    ) -> Any:
        """One authorized request, retried when throttled or broken off; its body is still to be read.

        Raises our error for any status but 2xx and ``accept``.
        """
        if not {".", ".."}.isdisjoint(key.split("/")):
            raise errors.Malformed(f"{key!r} has a '.' or '..' part, which HTTP clients fold; rename the object")

        def attempt() -> Any:
            response = self._request(method, url, self.authorize(method, url, dict(headers or {}), body), body)
            if response.status < 300 or response.status in accept:
                return response
            raise self.failure(response.status, response.headers, self.content(response, ANSWER_LIMIT), verb, key)

        try:
            return attempt()
        except errors.BadCredentials:
            if not self.renew():
                raise
            return attempt()

    def _request(self, method: str, url: str, headers: dict[str, str], body: bytes) -> Any:
        from urllib3 import Timeout

        retry = Counted(0 if budget.current() else RETRIES, redirect=False, **RETRY)
        retry.meter = self.meter
        self.meter.count(requests=1)
        connect, read = (budget.seconds_left(seconds) for seconds in self.timeout)
        timeout = Timeout(connect=connect, read=read)
        options = {"preload_content": False, "redirect": False, "decode_content": False, "pool_timeout": read}
        try:
            with translated(self.host()):
                return self.connections().request(
                    method,
                    url,
                    body=body or None,
                    headers=headers,
                    retries=retry,
                    timeout=timeout,
                    **options,
                )
        except errors.EgressDenied as error:
            error.field = self.host_field
            raise

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, verb: str, key: str) -> errors.StorageError:
        """Our error for a refused request. The provider's text is never quoted: it may come from anywhere (CVE-2025-25297)."""
        code = self.code_of(headers, body)
        kind = self.codes.get(code) or STATUS_KINDS.get(status, errors.Unavailable)
        told = f"HTTP {status}{' ' + code if code in self.codes else ''}"
        error = self.refusal(kind, verb, key, told=told, cause=self.causes.get(code, ""))
        if isinstance(error, errors.Throttled):
            error.retry_after = retry_after(headers)
        return error

    def content(self, response: Any, limit: int) -> bytes:
        """The rest of a body of at most ``limit`` bytes, within ANSWER_TIME; whatever the endpoint sends."""
        pieces, size, until = [], 0, time.monotonic() + ANSWER_TIME
        with translated(self.host()), watchdog.within(response, ANSWER_TIME + 1):
            try:
                while piece := response.read1(65536):
                    pieces.append(piece)
                    size += len(piece)
                    if size > limit or time.monotonic() > until:
                        response.close()
                        message = f"{self.host()} sends too much or too slowly to be {self.service}; check {self.settings}"
                        raise errors.Unavailable(message)
            finally:
                self.meter.count(size=size)
                response.release_conn()
        return b"".join(pieces)

    def info_of(self, key: str, headers: Mapping[str, str]) -> ObjectInfo:
        """The whole object as described by the headers of a GET or HEAD answer. Raises ConfigInvalid for nonsense."""
        total = headers.get("Content-Range", "").rpartition("/")[2]
        modified = headers.get("Last-Modified")
        try:
            size = answers.parse_size(total if total.isdecimal() else headers["Content-Length"])
            when = parse_http_date(modified) if modified else None
        except (KeyError, ValueError):
            raise errors.ConfigInvalid(f"the answer is not one of {self.service}; check {self.settings}") from None
        etag, kind = headers.get("ETag", "").strip('"'), headers.get("Content-Type", "")
        return ObjectInfo(key, size, when, etag, kind, headers.get("Content-Encoding", ""))

    def host(self) -> str:
        self._host = self._host or urlsplit(self.url()).netloc
        return self._host

    def allows_origin(self, origin: str, key: str) -> bool | None:
        """Asks as a browser does before a script may read: the preflight request of the Fetch standard, "CORS-preflight"."""
        headers = {"Origin": origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range"}
        url = self.presign(key, 60).partition("?")[0]  # a preflight needs no signature, and URLs of requests may be logged
        response = self._request("OPTIONS", url, headers, b"")
        response.close()
        return response.headers.get("Access-Control-Allow-Origin") in ("*", origin)
