"""One service of the Google fake on a port of its own: carries faults out, words refusals its way, keeps the log."""

import ssl
from collections.abc import Callable
from typing import NamedTuple

from tests.fakes.claims import Refusal
from tests.fakes.faults import Failure, Faults
from tests.fakes.google_errors import iam_error, oauth_error, storage_error, xml_error
from tests.fakes.wire import Request, Response, Server

Render = Callable[[Refusal], Response]
JSON_ROOTS = ("/storage/v1/", "/download/storage/v1/", "/upload/storage/v1/")


class Logged(NamedTuple):
    """One request that arrived; path and query percent-encoded, status 0 if the connection was dropped."""

    service: str
    method: str
    path: str
    query: str
    status: int


def serve(
    name: str, answer: Callable[[Request], Response], faults: Faults, log: list[Logged], tls: ssl.SSLContext | None = None
) -> Server:
    """A running server; ``answer`` raises Refusal to refuse."""

    def respond(request: Request) -> Response:
        render = renderer(name, request)
        response = faults.around(request, lambda asked: attempt(asked, answer, render), lambda failure: failed(failure, render))
        log.append(Logged(name, request.method, request.path, request.query, response.status))
        return response

    return Server(respond, tls)


def renderer(service: str, request: Request) -> Render:
    """How the service words its errors for this request."""
    if service == "storage":
        return storage_error if request.path.startswith(JSON_ROOTS) else xml_error
    return iam_error if service == "iam" else oauth_error


def attempt(request: Request, answer: Callable[[Request], Response], render: Render) -> Response:
    try:
        return answer(request)
    except Refusal as refusal:
        return render(refusal)


def failed(failure: Failure, render: Render) -> Response:
    refusal = Refusal(failure.status, failure.code, f"{failure.code} on demand of the test.")
    refusal.headers = failure.headers
    return render(refusal)
