"""Reads what a request claims about its AWS Version 4 signature, in headers or query; believes nothing of it yet.

Source: AWS General Reference "Signature Version 4"; Amazon S3 API Reference "Authenticating Requests".
"""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.fakes.wire import Request

ALGORITHM = "AWS4-HMAC-SHA256"
MAX_EXPIRES = 604_800  # seconds: seven days, S3 API Reference "Authenticating Requests: Using Query Parameters"
UNSIGNED = "UNSIGNED-PAYLOAD"
QUERY_NAMES = ("X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature")


class Refusal(Exception):
    """The service says no: HTTP status, error code, message, further elements of the error document, headers."""

    def __init__(self, status: int, code: str, message: str, **elements: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message, self.elements = status, code, message, elements
        self.headers: dict[str, str] = {}


@dataclass(frozen=True)
class Claim:
    """What a request says about its signature, not yet believed. ``lifetime`` is None for header signatures."""

    access_key: str
    scope: str
    region: str
    signed_headers: list[str]
    signature: str
    when: datetime
    payload: str
    lifetime: timedelta | None = None
    token: str | None = field(default=None, repr=False)


def claim_of(request: Request, service: str = "s3") -> Claim:
    """What the request claims. Raises Refusal if it is anonymous, signed with Version 2, for another service, or malformed."""
    authorization = request.header("authorization") or ""
    names = {name.decode("latin-1") for name, _ in request.parameters}
    if authorization.startswith("AWS ") or "AWSAccessKeyId" in names:
        raise Refusal(400, "InvalidRequest", f"The authorization mechanism you have provided is not supported. Use {ALGORITHM}.")
    if authorization and "X-Amz-Algorithm" in names:
        raise Refusal(400, "InvalidArgument", "Only one auth mechanism allowed")
    if authorization:
        return claim_in_headers(request, authorization, service)
    if "X-Amz-Algorithm" in names:
        return claim_in_query(request, service)
    raise Refusal(403, "AccessDenied", "Access Denied")


def claim_in_headers(request: Request, authorization: str, service: str) -> Claim:
    form = rf"{ALGORITHM} Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]+)"
    match = re.fullmatch(form, authorization.strip())
    if match is None:
        raise Refusal(400, "AuthorizationHeaderMalformed", "The authorization header that you provided is not valid.")
    payload = request.header("x-amz-content-sha256")
    if payload is None and service != "s3":
        payload = hashlib.sha256(request.body).hexdigest()  # only S3 wants the digest as a header too
    if payload is None:
        raise Refusal(400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    when = parse_time(request.header("x-amz-date"))
    access_key, scope, region = split_credential(match[1], when, "AuthorizationHeaderMalformed", service)
    token = request.header("x-amz-security-token")
    return Claim(access_key, scope, region, match[2].split(";"), match[3], when, payload, token=token)


def claim_in_query(request: Request, service: str) -> Claim:
    values = {name: request.parameter(name) for name in QUERY_NAMES}
    if request.parameter("X-Amz-Algorithm") != ALGORITHM or None in values.values():
        raise query_refusal(f"Query-string authentication version 4 requires X-Amz-Algorithm, {', '.join(QUERY_NAMES)}.")
    credential, date, expires, signed, signature = (value or "" for value in values.values())
    when = parse_time(date)
    access_key, scope, region = split_credential(credential, when, "AuthorizationQueryParametersError", service)
    if not expires.isdigit():
        raise query_refusal("X-Amz-Expires should be a non-negative number")
    if int(expires) > MAX_EXPIRES:
        raise query_refusal(f"X-Amz-Expires must be less than a week (in seconds), at most {MAX_EXPIRES}")
    lifetime, token = timedelta(seconds=int(expires)), request.parameter("X-Amz-Security-Token")
    payload = request.header("x-amz-content-sha256") or UNSIGNED
    return Claim(access_key, scope, region, signed.split(";"), signature, when, payload, lifetime, token)


def query_refusal(message: str) -> Refusal:
    return Refusal(400, "AuthorizationQueryParametersError", message)


def split_credential(credential: str, when: datetime, code: str, service: str) -> tuple[str, str, str]:
    """(access key, scope, region) of "KEY/date/region/service/aws4_request"."""
    access_key, _, scope = credential.partition("/")
    parts = scope.split("/")
    if len(parts) != 4 or parts[2:] != [service, "aws4_request"]:
        raise Refusal(400, code, f"The credential must be <key>/YYYYMMDD/REGION/{service}/aws4_request.")
    if parts[0] != f"{when:%Y%m%d}":
        raise Refusal(400, code, f"Invalid credential date {parts[0]}: it is not the date of X-Amz-Date.")
    return access_key, scope, parts[1]


def parse_time(text: str | None) -> datetime:
    try:
        return datetime.strptime(text or "", "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise Refusal(403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header") from error
