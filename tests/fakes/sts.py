"""AWS STS for tests, on a port of its own: AssumeRole and GetCallerIdentity in the query protocol, signatures checked.

Shares its identities with the S3 fake, which honours the temporary ones until they expire; knows no buckets.
"""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from tests.fakes.claims import Refusal, claim_of
from tests.fakes.faults import Failure, Faults
from tests.fakes.s3_access import Grant, Identity
from tests.fakes.sigv4 import iso, verify
from tests.fakes.sts_roles import Role, assume, wish_of
from tests.fakes.wire import Request, Response, Server

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
VERSION = "2011-06-15"  # the only version of the STS API
GLOBAL_REGION = "us-east-1"  # what clients of the global endpoint sign for
# S3's words for the same faults -> STS API Reference "Common Errors": (status, code, message; None keeps ours)
COMMON_ERRORS = {
    "AccessDenied": (403, "MissingAuthenticationToken", "Request is missing Authentication Token"),
    "AuthorizationHeaderMalformed": (400, "IncompleteSignature", None),
    "InvalidRequest": (400, "IncompleteSignature", None),
    "InvalidAccessKeyId": (403, "InvalidClientTokenId", "The security token included in the request is invalid."),
    "InvalidToken": (403, "InvalidClientTokenId", "The security token included in the request is invalid."),
    "ExpiredToken": (403, "ExpiredToken", "The security token included in the request is expired"),
    "RequestTimeTooSkewed": (403, "SignatureDoesNotMatch", "Signature expired: its time is too far from the current time."),
}


class Assumed(NamedTuple):
    """One AssumeRole call that was granted."""

    role: str
    external_id: str | None
    session: str
    when: datetime


class StsFake(Faults):
    """A running STS; ``identities`` (by access key) gains the temporary ones. Trouble is ordered as in Faults."""

    def __init__(self, identities: dict[str, Identity], region: str, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self.identities, self.region, self.clock = identities, region, clock
        self.roles: dict[str, Role] = {}
        self.assumed: list[Assumed] = []
        self._server = Server(lambda request: self.around(request, self._answer, failed))
        self.url, self.close = self._server.url, self._server.close

    def add_role(
        self, arn: str, trusted: Sequence[str], external_id: str | None, allow: Sequence[Grant], max_seconds: int
    ) -> None:
        self.roles[arn] = Role(arn, trusted, external_id, allow, max_seconds)

    def _answer(self, request: Request) -> Response:
        try:
            caller = self._authenticate(request)
            parameters = dict(parse_qsl(request.query) + parse_qsl(request.body.decode("utf-8", "replace")))
            return self._carry_out(parameters, caller)
        except Refusal as refusal:
            return error_document(refusal)

    def _authenticate(self, request: Request) -> Identity:
        try:
            claim = claim_of(request, "sts")
            caller = self.identities.get(claim.access_key)
            if caller is None:
                raise Refusal(403, "InvalidAccessKeyId", "No such key.")
            verify(request, claim, caller, self.clock())
        except Refusal as refusal:
            status, code, message = COMMON_ERRORS.get(refusal.code, (refusal.status, refusal.code, None))
            raise Refusal(status, code, message or refusal.message) from refusal
        if claim.region not in (self.region, GLOBAL_REGION):
            raise Refusal(403, "SignatureDoesNotMatch", "Credential should be scoped to a valid region.")
        return caller

    def _carry_out(self, parameters: dict[str, str], caller: Identity) -> Response:
        action, version = parameters.get("Action"), parameters.get("Version")
        if action is None:
            raise Refusal(400, "MissingAction", "The request must contain the parameter Action.")
        if action == "AssumeRole" and version == VERSION:
            return self._assume_role(parameters, caller)
        if action == "GetCallerIdentity" and version == VERSION:
            user = caller.access_key if caller.role is None else f"AROA:{caller.arn.rpartition('/')[2]}"
            account = caller.arn.split(":")[4]
            return document(action, {"Arn": caller.arn, "UserId": user, "Account": account})
        raise Refusal(400, "InvalidAction", f"Could not find operation {action} for version {version}")

    def _assume_role(self, parameters: dict[str, str], caller: Identity) -> Response:
        wish, now = wish_of(parameters), self.clock()
        temporary = assume(self.roles.get(wish.role), wish, caller, now)
        self.identities[temporary.access_key] = temporary
        self.assumed.append(Assumed(wish.role, wish.external_id, wish.session, now))
        credentials = {
            "AccessKeyId": temporary.access_key,
            "SecretAccessKey": temporary.secret_key,
            "SessionToken": temporary.session_token or "",
            "Expiration": iso(temporary.expires or now),
        }
        user = {"Arn": temporary.arn, "AssumedRoleId": f"AROA:{wish.session}"}
        return document("AssumeRole", {"Credentials": credentials, "AssumedRoleUser": user})


def document(action: str, result: dict[str, str | dict[str, str]]) -> Response:
    metadata = {"RequestId": secrets.token_hex(16)}
    inner = elements({f"{action}Result": result, "ResponseMetadata": metadata})
    body = f'<{action}Response xmlns="{NAMESPACE}">{inner}</{action}Response>'.encode()
    return Response(200, {"content-type": "text/xml", "content-length": str(len(body))}, body)


def error_document(refusal: Refusal) -> Response:
    """The shape of STS errors: nested, unlike S3's."""
    kind = "Sender" if refusal.status < 500 else "Receiver"
    error = {"Type": kind, "Code": refusal.code, "Message": refusal.message}
    inner = elements({"Error": error, "RequestId": secrets.token_hex(16)})
    body = f'<ErrorResponse xmlns="{NAMESPACE}">{inner}</ErrorResponse>'.encode()
    headers = {"content-type": "text/xml", "content-length": str(len(body)), **refusal.headers}
    return Response(refusal.status, headers, body)


def failed(failure: Failure) -> Response:
    refusal = Refusal(failure.status, failure.code, f"{failure.code} on demand of the test.")
    refusal.headers = failure.headers
    return error_document(refusal)


def elements(tree: dict) -> str:
    return "".join(
        f"<{name}>{elements(value) if isinstance(value, dict) else escape(value)}</{name}>" for name, value in tree.items()
    )
