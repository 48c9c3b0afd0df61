"""The ways in which the Databricks fake says no, each in the words of the service; decides nothing itself.

Source: Databricks REST API "Files", answers on record of the vendor's command line client. "Assumed" marks the rest.
"""

import uuid
from http import HTTPStatus

from tests.fakes.entra import json_answer
from tests.fakes.faults import Failure
from tests.fakes.wire import Response


class Refusal(Exception):
    """HTTP status, ``error_code`` (the layer that checks tokens sends numbers), message, reason of google.rpc.ErrorInfo."""

    def __init__(
        self, status: int, code: int | str, message: str, reason: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message, self.reason, self.headers = status, code, message, reason, headers or {}


def error_document(refusal: Refusal) -> Response:
    document: dict[str, object] = {"error_code": refusal.code, "message": refusal.message}
    if refusal.reason:
        kind, domain = "type.googleapis.com/google.rpc.ErrorInfo", "filesystem.databricks.com"
        document["details"] = [{"@type": kind, "reason": refusal.reason, "domain": domain}]
    return json_answer(refusal.status, document, refusal.headers)


def on_demand(failure: Failure) -> Response:
    """What Faults.fail_next ordered."""
    message = f"{HTTPStatus(failure.status).phrase} on demand of the test."
    return error_document(Refusal(failure.status, failure.code, message, headers=failure.headers))


def unauthenticated() -> Refusal:
    message = f"Credential was not sent or was of an unsupported type for this API. [ReqId: {uuid.uuid4()}]"
    return Refusal(401, 401, message)


def bad_token() -> Refusal:
    """Unknown and expired tokens alike: 403, not 401."""
    header = {"X-Databricks-Reason-Phrase": "Invalid access token."}
    return Refusal(403, 403, f"Invalid access token. [ReqId: {uuid.uuid4()}]", headers=header)


def missing_scope(scope: str) -> Refusal:
    return Refusal(403, 403, f"Provided OAuth token does not have required scopes: {scope}")


def blocked_address() -> Refusal:
    """This one's error_code is on record as a number and as a string of digits; here the string."""
    return Refusal(403, "403", "Source IP address: 127.0.0.1 is blocked by Databricks IP ACL for workspace: 6051921418418893")


def lacks(privilege: str, securable: str) -> Refusal:
    kind = ("Catalog", "Schema", "Volume")[securable.count(".")]
    return Refusal(403, "PERMISSION_DENIED", f"User does not have {privilege} on {kind} '{securable}'.")


def bad_request(message: str, reason: str | None = None) -> Refusal:
    return Refusal(400, "BAD_REQUEST", message, reason)


def invalid_path(text: str) -> Refusal:
    return bad_request(f"Invalid path: {text}", "FILES_API_INVALID_PATH")


def no_endpoint(method: str, path: str) -> Refusal:
    return Refusal(404, "ENDPOINT_NOT_FOUND", f"No API found for '{method} {path}'")


def no_volume(name: str) -> Refusal:
    return Refusal(404, "NOT_FOUND", f"Volume '{name}' does not exist.")


def no_directory() -> Refusal:
    return Refusal(404, "NOT_FOUND", "The directory being accessed is not found.", "FILES_API_DIRECTORY_IS_NOT_FOUND")


def no_file() -> Refusal:
    return Refusal(404, "NOT_FOUND", "The file being accessed is not found.", "FILES_API_FILE_NOT_FOUND")


def already_exists(kind: str = "file") -> Refusal:
    return Refusal(409, "ALREADY_EXISTS", f"The {kind} being created already exists.")


def not_empty() -> Refusal:
    return bad_request("The directory being deleted is not empty.", "FILES_API_DIRECTORY_IS_NOT_EMPTY")


def modified_since() -> Refusal:
    """Assumed: only the status is documented."""
    return Refusal(412, "PRECONDITION_FAILED", "The file was modified since the given date.")


def outside_range(size: int) -> Refusal:
    """Assumed: only Content-Range (RFC 9110 section 15.5.17) is certain."""
    message = f"The range starts at or after the end of the file ({size} bytes)."
    return Refusal(416, "BAD_REQUEST", message, headers={"content-range": f"bytes */{size}"})
