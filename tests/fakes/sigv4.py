"""Recomputes the AWS Version 4 signature of a request and compares; knows keys and clocks, not what a request does.

Source: AWS General Reference "Signature Version 4"; Amazon S3 API Reference "Authenticating Requests".
"""

import hashlib
import hmac
import re
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import quote, unquote_to_bytes

from tests.fakes.claims import ALGORITHM, UNSIGNED, Claim, Refusal
from tests.fakes.wire import Request

MAX_SKEW = timedelta(minutes=15)  # S3 API Reference "Error responses", RequestTimeTooSkewed


class Secret(Protocol):
    """The part of an identity that signing needs; ``session_token`` and ``expires`` are None for long-term keys."""

    secret_key: str
    session_token: str | None
    expires: datetime | None


def verify(request: Request, claim: Claim, secret: Secret, now: datetime) -> None:
    """Returns if ``secret`` signed exactly this request and the signature holds at ``now`` (UTC); raises Refusal."""
    check_time(claim, now)
    check_token(claim, secret, now)
    check_signed_headers(request, claim)
    canonical = canonical_request(request, claim)
    digest = hashlib.sha256(canonical).hexdigest()
    to_sign = f"{ALGORITHM}\n{claim.when:%Y%m%dT%H%M%SZ}\n{claim.scope}\n{digest}"
    if not hmac.compare_digest(sign(secret.secret_key, claim.scope, to_sign), claim.signature):
        message = (
            "The request signature we calculated does not match the signature you provided. Check your key and signing method."
        )
        shown = {"AWSAccessKeyId": claim.access_key, "StringToSign": to_sign, "SignatureProvided": claim.signature}
        raise Refusal(403, "SignatureDoesNotMatch", message, **shown, CanonicalRequest=canonical.decode("utf-8", "replace"))
    check_payload(request, claim)


def check_time(claim: Claim, now: datetime) -> None:
    if claim.lifetime is None:
        if abs(now - claim.when) > MAX_SKEW:
            message = "The difference between the request time and the current time is too large."
            raise Refusal(403, "RequestTimeTooSkewed", message, RequestTime=f"{claim.when:%Y%m%dT%H%M%SZ}", ServerTime=iso(now))
    elif claim.when - now > MAX_SKEW:
        raise Refusal(403, "AccessDenied", "Request is not yet valid", ServerTime=iso(now))
    elif now > claim.when + claim.lifetime:
        ends, seconds = iso(claim.when + claim.lifetime), f"{claim.lifetime.total_seconds():.0f}"
        elements = {"X-Amz-Expires": seconds, "Expires": ends, "ServerTime": iso(now)}
        raise Refusal(403, "AccessDenied", "Request has expired", **elements)


def check_token(claim: Claim, secret: Secret, now: datetime) -> None:
    if secret.session_token is not None and claim.token is None:
        message = "The AWS Access Key Id you provided does not exist in our records."  # a temporary key alone is no key
        raise Refusal(403, "InvalidAccessKeyId", message, AWSAccessKeyId=claim.access_key)
    if claim.token != secret.session_token:
        raise Refusal(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
    if secret.expires is not None and now >= secret.expires:
        raise Refusal(400, "ExpiredToken", "The provided token has expired.")


def check_signed_headers(request: Request, claim: Claim) -> None:
    """The signature must cover Host and every x-amz-* header that was sent."""
    sent = {name for name, _ in request.headers if name == "host" or name.startswith("x-amz-")}
    loose = sorted((sent | {"host"}) - set(claim.signed_headers))
    if loose:
        message = "There were headers present in the request which were not signed"
        raise Refusal(403, "AccessDenied", message, HeadersNotSigned=", ".join(loose))


def check_payload(request: Request, claim: Claim) -> None:
    if claim.payload == UNSIGNED:
        return
    if claim.payload.startswith("STREAMING-"):
        raise Refusal(501, "NotImplemented", "This store does not take aws-chunked bodies: switch off default checksums.")
    if not re.fullmatch("[0-9a-f]{64}", claim.payload):
        message = f"x-amz-content-sha256 must be {UNSIGNED} or a valid sha256 value."
        raise Refusal(400, "InvalidArgument", message, ArgumentName="x-amz-content-sha256", ArgumentValue=claim.payload)
    computed = hashlib.sha256(request.body).hexdigest()
    if computed != claim.payload:
        message = "The provided 'x-amz-content-sha256' header does not match what was computed."
        elements = {"ClientComputedContentSHA256": claim.payload, "S3ComputedContentSHA256": computed}
        raise Refusal(400, "XAmzContentSHA256Mismatch", message, **elements)


def canonical_request(request: Request, claim: Claim) -> bytes:
    """S3's form: the path is encoded once and never normalized, so "//" and ".." in keys stay."""
    path = quote(unquote_to_bytes(request.path), safe="/-._~")
    pairs = [(quote(name, safe="-._~"), quote(value, safe="-._~")) for name, value in request.parameters]
    query = "&".join(f"{name}={value}" for name, value in sorted(pairs) if name != "X-Amz-Signature")
    headers = [f"{name}:{folded(request.header(name) or '')}\n" for name in claim.signed_headers]
    lines = [request.method, path, query, "".join(headers), ";".join(claim.signed_headers), claim.payload]
    return "\n".join(lines).encode("latin-1")


def folded(value: str) -> str:
    return re.sub(" +", " ", value.strip())


def sign(secret_key: str, scope: str, text: str) -> str:
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
