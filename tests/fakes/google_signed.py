"""Checks V4 signed URLs: recomputes the canonical request from the wire and verifies the account's RSA signature.

Source: Cloud Storage "V4 signing process", "Canonical requests", "Signatures". The texts of refusals are shortened.
"""

import hashlib
import re
from datetime import datetime, timedelta
from urllib.parse import quote, unquote_to_bytes

from tests.fakes.claims import Refusal, parse_time
from tests.fakes.google_accounts import signed_by
from tests.fakes.wire import Request

ALGORITHM = "GOOG4-RSA-SHA256"
MAX_EXPIRES = 604_800  # seconds: "V4 signing process", X-Goog-Expires
MAX_SKEW = timedelta(minutes=15)  # "Signatures", active datetime
NAMES = ("X-Goog-Credential", "X-Goog-Date", "X-Goog-Expires", "X-Goog-SignedHeaders", "X-Goog-Signature")


def signer_of(request: Request, emails: set[str], now: datetime) -> str:
    """The e-mail of the account in ``emails`` that signed exactly this request, valid at ``now``. Raises Refusal."""
    values = {name: request.parameter(name) or "" for name in NAMES}
    if request.parameter("X-Goog-Algorithm") != ALGORITHM or "" in values.values():
        raise malformed(f"Signed URLs need X-Goog-Algorithm={ALGORITHM}, {', '.join(NAMES)}.")
    email, scope = split_credential(values["X-Goog-Credential"], values["X-Goog-Date"])
    check_life(values["X-Goog-Date"], values["X-Goog-Expires"], now)
    headers = values["X-Goog-SignedHeaders"].split(";")
    check_headers(request, headers)
    # a URL signed for GET serves HEAD too: googleapis/google-cloud-dotnet, documentation of UrlSigner
    for method in ("HEAD", "GET") if request.method == "HEAD" else (request.method,):
        digest = hashlib.sha256(canonical_request(request, method, headers)).hexdigest()
        text = f"{ALGORITHM}\n{values['X-Goog-Date']}\n{scope}\n{digest}"
        signature = values["X-Goog-Signature"]
        hexadecimal = re.fullmatch("([0-9a-f]{2})+", signature)
        if email in emails and hexadecimal and signed_by(email, text.encode(), bytes.fromhex(signature)):
            return email
    message = "Access denied. The request signature we calculated does not match the signature you provided."
    raise Refusal(403, "SignatureDoesNotMatch", message, StringToSign=text)


def split_credential(credential: str, date: str) -> tuple[str, str]:
    """(e-mail, scope) of "e-mail/day/location/storage/goog4_request"."""
    email, _, scope = credential.partition("/")
    parts = scope.split("/")
    if len(parts) != 4 or parts[2:] != ["storage", "goog4_request"] or parts[0] != date[:8]:
        raise malformed("X-Goog-Credential must be <e-mail>/<day of X-Goog-Date>/<location>/storage/goog4_request.")
    return email, scope


def check_life(date: str, expires: str, now: datetime) -> None:
    try:
        when = parse_time(date)
    except Refusal as refusal:
        raise malformed("X-Goog-Date must have the form YYYYMMDD'T'HHMMSS'Z'.") from refusal
    if not expires.isdigit() or not 0 < int(expires) <= MAX_EXPIRES:
        raise malformed(f"X-Goog-Expires must be 1 to {MAX_EXPIRES} seconds.")
    if when - now > MAX_SKEW:
        raise Refusal(403, "AccessDenied", "Access denied.", Details="Request is not yet valid.")
    end = when + timedelta(seconds=int(expires))
    if now >= end:
        raise Refusal(400, "ExpiredToken", "Invalid argument.", Details=f"The provided token has expired. Expired at {end}.")


def check_headers(request: Request, signed: list[str]) -> None:
    """Host and every x-goog-* header sent must be signed, and what is signed must be sent."""
    sent = {name for name, _ in request.headers}
    loose = {name for name in sent | {"host"} if name == "host" or name.startswith("x-goog-")} - set(signed)
    missing = set(signed) - sent
    if loose or missing or signed != sorted(signed):
        raise malformed(f"Headers not signed: {sorted(loose)}; signed but not sent: {sorted(missing)}.")


def canonical_request(request: Request, method: str, headers: list[str]) -> bytes:
    path = quote(unquote_to_bytes(request.path), safe="/-._~")
    pairs = [(quote(name, safe="-._~"), quote(value, safe="-._~")) for name, value in request.parameters]
    query = "&".join(f"{name}={value}" for name, value in sorted(pairs) if name != "X-Goog-Signature")
    lines = [f"{name}:{re.sub(' +', ' ', (request.header(name) or '').strip())}\n" for name in headers]
    payload = (request.header("x-goog-content-sha256") if "x-goog-content-sha256" in headers else None) or "UNSIGNED-PAYLOAD"
    return "\n".join([method, path, query, "".join(lines), ";".join(headers), payload]).encode("latin-1")


def malformed(details: str) -> Refusal:
    return Refusal(400, "MalformedSecurityHeader", "Your request has a malformed header.", Details=details)
