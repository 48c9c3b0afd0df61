"""Serves one object of any storage over HTTP: the only place that turns a request into offsets and an answer.

Raises StorageError as long as no byte was sent.
"""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import APIException

from storages import watchdog
from storages.client import Client, ObjectInfo, ObjectStream
from storages.errors import RangeNotSatisfiable, Unavailable
from storages.media import conditions, offload, ranges, slots
from storages.media.body import Body, release_database
from storages.media.headers import described, etag
from storages.watchdog import Asker

CONDITIONAL = ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range")


class PreconditionFailed(APIException):
    """If-Match or If-Unmodified-Since does not hold."""

    status_code = 412
    default_detail = "The object is not the version that If-Match or If-Unmodified-Since names."


def respond(request: HttpRequest, client: Client, key: str, storage_id: int) -> HttpResponseBase:
    """The answer to a GET or HEAD of ``key``: 200, 206 or 304. Raises StorageError, PreconditionFailed.

    At most one stat and one open; a GET with a plain or no Range needs no stat. HEAD ignores Range (RFC 9110 §14.2).
    Behind nginx the answer may have no body: nginx fetches it from the storage (see ``offload``).
    """
    release_database()  # whoever waits for a storage must not keep a connection from the others
    browser = _limit_sending(request)
    with slots.take() as slot, watchdog.asked_by(browser):
        return _answered(request, client, key, storage_id, slot, browser)


def _answered(
    request: HttpRequest, client: Client, key: str, storage_id: int, slot: slots.Slot, browser: Asker | None
) -> HttpResponseBase:
    asked = request.headers.get("Range") if request.method == "GET" else None
    offsets = ranges.fixed(asked, settings.RESOLVER_PROXY_MAX_RANGE_SIZE)
    handover = offload.prepare(request, client, key, storage_id)
    conditional = any(name in request.headers for name in CONDITIONAL)
    if handover or request.method != "GET" or conditional or (asked and not offsets):
        info = handover.info if handover else client.stat(key)
        outcome = conditions.evaluate(request.headers, etag(info, storage_id), info.modified)
        if outcome is conditions.Outcome.FAILED:
            raise PreconditionFailed()
        if outcome is conditions.Outcome.NOT_MODIFIED:
            return described(StreamingHttpResponse((), status=304), info, storage_id)
        if request.method != "GET":
            return described(HttpResponse(headers={"Content-Length": str(info.size)}), info, storage_id)
        offsets = _offsets(request, asked, info, storage_id)
        if handover:
            return offload.hand_over(handover, offsets, storage_id)
    else:
        info = None
    stream = _open(client, key, offsets, info, storage_id)
    return _send(client, stream, offsets is not None, storage_id, slot, browser)


def _offsets(request: HttpRequest, asked: str | None, info: ObjectInfo, storage_id: int) -> tuple[int, int] | None:
    """First and last byte to serve of the known object, None for all of it. Raises RangeNotSatisfiable."""
    if not conditions.range_applies(request.headers.get("If-Range"), etag(info, storage_id), info.modified):
        return None
    selection = ranges.select(asked, info.size, settings.RESOLVER_PROXY_MAX_RANGE_SIZE)
    if isinstance(selection, ranges.Unsatisfiable):
        raise RangeNotSatisfiable(f"{info.key} has {info.size} bytes", size=info.size)
    return (selection.start, selection.end) if isinstance(selection, ranges.Part) else None


def _open(client: Client, key: str, offsets: tuple[int, int] | None, known: ObjectInfo | None, storage_id: int) -> ObjectStream:
    """Opens the version that ``offsets`` were computed for, if ``known``. Raises Unavailable if it was replaced meanwhile."""
    stream = client.open(key, *(offsets or ()))
    if offsets and known and etag(stream.info, storage_id) != etag(known, storage_id):
        stream.close()
        raise Unavailable(f"{key} was replaced while it was read; try again")
    return stream


def _limit_sending(request: HttpRequest) -> Asker | None:
    """The browser's connection. It must not keep a thread and an upstream by not reading: sending a buffer gets a time limit."""
    if connection := request.META.get("gunicorn.socket"):
        connection.settimeout(settings.RESOLVER_PROXY_TIMEOUT)
    return connection


def _send(
    client: Client, stream: ObjectStream, partial: bool, storage_id: int, slot: slots.Slot, browser: Asker | None
) -> HttpResponseBase:
    if partial and not stream.length:
        stream.close()
        raise RangeNotSatisfiable(f"{stream.info.key} is empty", size=stream.info.size)
    response = StreamingHttpResponse(Body(client, stream, storage_id, slot, browser), status=206 if partial else 200)
    response["Content-Length"] = str(stream.length)
    if partial:
        response["Content-Range"] = f"bytes {stream.start}-{stream.end}/{stream.info.size}"
    return described(response, stream.info, storage_id)
