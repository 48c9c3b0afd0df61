"""Serves one object of any storage over HTTP: the only place that turns a request into offsets and an answer.

Raises StorageError as long as no byte was sent.
"""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import APIException

from storages.client import Client, ObjectInfo, ObjectStream
from storages.errors import RangeNotSatisfiable, StorageError, Unavailable
from storages.media import conditions, ranges
from storages.media.body import Body
from storages.media.headers import described, etag

CONDITIONAL = ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range")


class PreconditionFailed(APIException):
    """If-Match or If-Unmodified-Since does not hold."""

    status_code = 412
    default_detail = "The object is not the version that If-Match or If-Unmodified-Since names."


def respond(request: HttpRequest, client: Client, key: str, storage_id: int) -> HttpResponseBase:
    """The answer to a GET or HEAD of ``key``: 200, 206 or 304. Raises StorageError, PreconditionFailed.

    At most one stat and one open; a GET with a plain or no Range needs no stat. HEAD ignores Range (RFC 9110 §14.2).
    """
    asked = request.headers.get("Range") if request.method == "GET" else None
    offsets = ranges.fixed(asked, settings.RESOLVER_PROXY_MAX_RANGE_SIZE)
    if request.method != "GET" or any(name in request.headers for name in CONDITIONAL) or (asked and not offsets):
        info = client.stat(key)
        outcome = conditions.evaluate(request.headers, etag(info, storage_id), info.modified)
        if outcome is conditions.Outcome.FAILED:
            raise PreconditionFailed()
        if outcome is conditions.Outcome.NOT_MODIFIED:
            return described(StreamingHttpResponse((), status=304), info, storage_id)
        if request.method != "GET":
            return described(HttpResponse(headers={"Content-Length": str(info.size)}), info, storage_id)
        offsets = _offsets(request, asked, info, storage_id)
        stream = _open_same(client, key, offsets, info, storage_id)
    else:
        stream = client.open(key, *(offsets or ()))
    _limit_sending(request)
    return _send(stream, offsets is not None, storage_id)


def _offsets(request: HttpRequest, asked: str | None, info: ObjectInfo, storage_id: int) -> tuple[int, int] | None:
    """First and last byte to serve of the known object, None for all of it. Raises RangeNotSatisfiable."""
    if not conditions.range_applies(request.headers.get("If-Range"), etag(info, storage_id), info.modified):
        return None
    selection = ranges.select(asked, info.size, settings.RESOLVER_PROXY_MAX_RANGE_SIZE)
    if isinstance(selection, ranges.Unsatisfiable):
        raise RangeNotSatisfiable(f"{info.key} has {info.size} bytes", size=info.size)
    return (selection.start, selection.end) if isinstance(selection, ranges.Part) else None


def _open_same(client: Client, key: str, offsets: tuple[int, int] | None, info: ObjectInfo, storage_id: int) -> ObjectStream:
    """Opens the version that ``offsets`` were computed for. Raises Unavailable if it was replaced meanwhile."""
    stream = client.open(key, *(offsets or ()))
    if offsets and etag(stream.info, storage_id) != etag(info, storage_id):
        stream.close()
        raise Unavailable(f"{key} was replaced while it was read; try again")
    return stream


def _limit_sending(request: HttpRequest) -> None:
    """A browser that stops reading must not keep a thread and an upstream connection: sending a buffer gets a time limit."""
    if connection := request.META.get("gunicorn.socket"):
        connection.settimeout(settings.RESOLVER_PROXY_TIMEOUT)


def _send(stream: ObjectStream, partial: bool, storage_id: int) -> HttpResponseBase:
    try:
        if partial and not stream.length:
            raise RangeNotSatisfiable(f"{stream.info.key} is empty", size=stream.info.size)
        body = Body(stream)
    except StorageError:
        stream.close()
        raise
    response = StreamingHttpResponse(body, status=206 if partial else 200)
    response["Content-Length"] = str(stream.length)
    if partial:
        response["Content-Range"] = f"bytes {stream.start}-{stream.end}/{stream.info.size}"
    return described(response, stream.info, storage_id)
