"""The JSON envelope of every error (contract.md §4): API exceptions, unknown routes and faults of ours alike."""

import logging
import sys
import uuid
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.urls import Resolver404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_handler
from rest_framework.views import set_rollback

from config.crypto import DecryptionFailed
from storages.api.errors import ConnectionFailed, to_api_exception
from storages.errors import StorageError

log = logging.getLogger(__name__)
NO_PAGES = ("/api/", "/data/", "/tasks/", "/storage-data/")  # what programs and media elements ask for
PAGES = {
    400: ("This request cannot be read", "Go back, reload the page and try again."),
    403: ("You may not see this", "Ask a member of the organization that owns it."),
    404: ("There is nothing here", "It may have been deleted, or it belongs to another organization. Check the address."),
    503: ("The server waits for its database", "Nothing of yours was lost. This page tries again by itself every few seconds."),
    500: ("Something went wrong on the server", "Nothing of yours was lost. Try again; the server's log has the details."),
}
FORGED = "The form is too old, or did not come from this server. Go back, reload the page and send it again."


def envelope(status_code: int, detail: str, validation_errors: dict[str, list] | None = None) -> dict[str, Any]:
    """The body of an error answer; ``validation_errors`` maps a field, or ``non_field_errors``, to messages."""
    body = {
        "id": str(uuid.uuid4()),
        "status_code": status_code,
        "version": settings.VERSION,
        "detail": "Validation error" if validation_errors is not None else detail,
        "exc_info": None,
    }
    if validation_errors is not None:
        body["validation_errors"] = validation_errors
    return body


def translated(error: Exception) -> Exception:
    """The API exception for a failure that DRF does not know; any other error unchanged."""
    if isinstance(error, StorageError):
        return to_api_exception(error)
    if isinstance(error, RecursionError):
        return exceptions.ParseError("the body is nested too deeply")
    if isinstance(error, RequestDataTooBig):
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        return api_exception(413, f"the body has more than {limit} bytes; send it in parts, or raise MAX_REQUEST_BYTES")
    if isinstance(error, SuspiciousOperation):
        return exceptions.ParseError("the request has more fields than a request needs, or a field that no client sends")
    if isinstance(error, OperationalError | InterfaceError):
        log.error("the database is away or busy: %s", error)
        return api_exception(503, "the database is away or busy; try again")
    if isinstance(error, DecryptionFailed):
        return api_exception(503, str(error))
    return error


def api_exception(status_code: int, detail: str) -> exceptions.APIException:
    answer = exceptions.APIException(detail)
    answer.status_code = status_code
    return answer


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's EXCEPTION_HANDLER: any exception of a view becomes an envelope; ours are logged under the envelope's id."""
    error = translated(error)
    response = drf_handler(error, context)
    if response is None:
        set_rollback()
        body = envelope(500, "Internal error; the server's log has the details under this id.")
        log.exception("request failed, error id %s", body["id"], exc_info=error)
        return Response(body, status=500)
    if isinstance(error, exceptions.ValidationError | ConnectionFailed):
        fields = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
        response.data = envelope(response.status_code, "", {k: v if isinstance(v, list) else [v] for k, v in fields.items()})
    else:
        response.data = envelope(response.status_code, _detail(error, response))
    if connection := getattr(error, "connection", None):  # why a storage's settings were refused, for programs
        response.data["connection"] = connection
    return response


def _detail(error: Exception, response: Response) -> str:
    if isinstance(error, Http404):
        return str(error) or "Not found."
    if isinstance(error, PermissionDenied):
        return str(error) or "You do not have permission to perform this action."
    detail = response.data.get("detail") if isinstance(response.data, dict) else response.data
    return str(detail)


def _answer(request: HttpRequest, status_code: int, detail: str, told: str = "") -> HttpResponse:
    """A page for somebody who looks at pages, the envelope for everybody else."""
    if "text/html" not in request.headers.get("Accept", "") or request.path.startswith(NO_PAGES):
        return JsonResponse(envelope(status_code, detail), status=status_code)
    title, advice = PAGES[status_code]
    page = render_to_string("users/error.html", {"title": title, "advice": told or advice, "code": status_code})
    return HttpResponse(page, status=status_code)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 400, "Bad request.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 403, "You do not have permission to perform this action.", str(exception))


def forged(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW."""
    answer = _answer(request, 403, f"CSRF Failed: {reason}", FORGED)
    answer["X-Page"] = "stale"  # for live.js
    return answer


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    told = str(exception) if isinstance(exception, Http404) and not isinstance(exception, Resolver404) else ""
    return _answer(request, 404, f"No such route: {request.method} {request.path}", told)


def server_error(request: HttpRequest) -> HttpResponse:
    """A page that waits for the database by itself, while that is what is missing."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        answer = _answer(request, 503, "the database is away or busy; try again")
        if request.method == "GET":
            answer["Refresh"] = "5"
        return answer
    return _answer(request, 500, "Internal error; the server's log has the details.")
