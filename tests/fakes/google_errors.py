"""Google's answers in the shapes of its services: JSON API, OAuth, IAM and XML. Knows no requests.

Source: Cloud Storage JSON API "HTTP status and error codes", XML API "HTTP status and error codes"; RFC 6749 section 5.2.
"""

import json
from xml.sax.saxutils import escape

from tests.fakes.claims import Refusal
from tests.fakes.wire import Response

JSON_TYPE = "application/json; charset=UTF-8"


def reply(document: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer with its length."""
    return sized(status, json.dumps(document).encode(), {"content-type": JSON_TYPE} | (headers or {}))


def sized(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Response:
    """An answer whose length is that of ``body``; 204 has none at all (RFC 9110 section 8.6)."""
    length = {} if status == 204 else {"content-length": str(len(body))}
    return Response(status, length | (headers or {}), body)


def storage_error(refusal: Refusal) -> Response:
    """The JSON API's document: {"error": {"code", "message", "errors": [{"domain", "reason", …}]}}."""
    detail = {"message": refusal.message, "domain": "global", "reason": refusal.code, **refusal.elements}
    return reply(
        {"error": {"code": refusal.status, "message": refusal.message, "errors": [detail]}}, refusal.status, refusal.headers
    )


def oauth_error(refusal: Refusal) -> Response:
    """OAuth's document: {"error", "error_description"}."""
    return reply({"error": refusal.code, "error_description": refusal.message}, refusal.status, refusal.headers)


def iam_error(refusal: Refusal) -> Response:
    """google.rpc.Status in JSON: {"error": {"code", "message", "status", "details"}}."""
    details = [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "domain": "iam.googleapis.com", "metadata": refusal.elements}
    ]
    error = {"code": refusal.status, "message": refusal.message, "status": refusal.code, "details": details}
    return reply({"error": error}, refusal.status, refusal.headers)


def xml_error(refusal: Refusal) -> Response:
    elements = {"Code": refusal.code, "Message": refusal.message, **refusal.elements}
    inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in elements.items())
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error>{inner}</Error>".encode()
    return sized(refusal.status, body, {"content-type": "application/xml; charset=UTF-8"} | refusal.headers)
