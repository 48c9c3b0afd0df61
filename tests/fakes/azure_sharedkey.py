"""Azure's Shared Key scheme: recomputes a request's signature, and signs requests for the emulator; knows no permissions.

Source: Azure Storage REST API Reference "Authorize with Shared Key".
"""

import base64
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

from tests.fakes.claims import Refusal
from tests.fakes.wire import Request

MAX_AGE = timedelta(minutes=15)  # "Authorize with Shared Key", Specify the Date header
SIGNED_HEADERS = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)
WHY_TO_CHECK = "Make sure the value of Authorization header is formed correctly including the signature."


def unauthentic(detail: str) -> Refusal:
    """Azure's one answer to every signature that does not hold."""
    return Refusal(403, "AuthenticationFailed", f"Server failed to authenticate the request. {detail}")


def verify(request: Request, account: str, key: str, now: datetime) -> None:
    """Returns if the account's key signed exactly this request within 15 minutes of ``now``. Raises Refusal 403."""
    sent = request.header("x-ms-date") or request.header("date")
    try:
        when = parsedate_to_datetime(sent or "")
    except ValueError as error:
        raise unauthentic("Neither x-ms-date nor Date holds a date.") from error
    if when.tzinfo is None or abs(now - when) > MAX_AGE:
        raise unauthentic("The Date header in the request is incorrect.")
    expected = f"SharedKey {account}:{signature(string_to_sign(request, account), key)}"
    if not hmac.compare_digest(expected.encode(), (request.header("authorization") or "").encode()):
        raise unauthentic(WHY_TO_CHECK)


def sign(request: Request, account: str, key: str) -> Request:
    """The request with a fresh date and the account's signature in place of any other."""
    headers = [(name, value) for name, value in request.headers if name not in ("authorization", "x-ms-date", "date")]
    headers.append(("x-ms-date", format_datetime(datetime.now(UTC), usegmt=True)))
    dated = replace(request, headers=headers)
    signed = f"SharedKey {account}:{signature(string_to_sign(dated, account), key)}"
    return replace(dated, headers=[*headers, ("authorization", signed)])


def signature(text: str, key: str) -> str:
    """HMAC-SHA256 of ``text`` in base64; ``key`` is base64 too."""
    return base64.b64encode(hmac.digest(base64.b64decode(key), text.encode(), "sha256")).decode()


def string_to_sign(request: Request, account: str) -> str:
    standard = {name: request.header(name) or "" for name in SIGNED_HEADERS}
    if standard["content-length"] == "0":
        standard["content-length"] = ""
    if request.header("x-ms-date"):
        standard["date"] = ""
    own = sorted({name for name, _ in request.headers if name.startswith("x-ms-")})
    canonical = "".join(f"{name}:{' '.join((request.header(name) or '').split())}\n" for name in own)
    head = "\n".join([request.method, *standard.values()])
    return f"{head}\n{canonical}{canonical_resource(request, account)}"


def canonical_resource(request: Request, account: str) -> str:
    """With the account in the path, as emulators have it, the account appears twice."""
    values: dict[str, list[str]] = {}
    for name, value in request.parameters:
        values.setdefault(name.decode().lower(), []).append(value.decode())
    query = "".join(f"\n{name}:{','.join(sorted(values[name]))}" for name in sorted(values))
    return f"/{account}{request.path}{query}"
