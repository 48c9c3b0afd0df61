"""How tokens and signatures are asked of Google: one request at a time over vetted connections, refusals by table.

Knows no kind of identity and nothing of buckets; the callers say what a refusal means for them.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from django.conf import settings

from storages import budget, egress, errors
from storages.providers.failures import reached, refuse_busy

Refusals = Mapping[str, tuple[type[errors.StorageError], str | None, str]]
# https://cloud.google.com/apis/design/errors#http_mapping
IAM_KINDS: dict[int, type[errors.StorageError]] = {
    400: errors.ConfigInvalid, 401: errors.BadCredentials, 403: errors.AccessDenied, 404: errors.NotFound,
}  # fmt: skip


class Caller(Protocol):
    """Who asks IAM for something."""

    def token(self) -> str: ...

    def renew(self) -> bool: ...


def post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """Status and JSON object ({} if the body is none) of one request. Raises Unavailable, EgressDenied."""
    response = send(egress.session(), "POST", url, body, headers)
    try:
        answer = response.json()
    except (ValueError, RecursionError):
        answer = None
    return response.status_code, answer if isinstance(answer, dict) else {}


def send(connections: Any, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Any:
    """The answer, unless Google is busy, broken or out of reach: then Throttled or Unavailable, and no second attempt."""
    host = urlsplit(url).netloc
    limits = tuple(budget.seconds_left(most) for most in (egress.CONNECT_TIMEOUT, egress.READ_TIMEOUT))
    with reached(host):
        response = connections.request(method, url, data=body, headers=headers, allow_redirects=False, timeout=limits)
    refuse_busy(response, host)
    return response


def transport(connections: Any) -> Callable[..., Any]:
    """``send`` as google-auth calls it (google.auth.transport.Request), which would retry with pauses of its own."""

    def request(url: str, method: str = "GET", body: bytes | None = None, headers: Any = None, **options: object) -> Any:
        response = send(connections, method, url, body, headers or {})
        return SimpleNamespace(status=response.status_code, headers=response.headers, data=response.content)

    return request


def text_of(answer: Mapping[str, Any], name: str) -> str:
    """The token or signature in an answer. Raises Unavailable if there is none."""
    if isinstance(answer.get(name), str) and answer[name].isascii() and answer[name].isprintable():
        return answer[name]
    raise errors.Unavailable(f"the answer holds no {name}; is this Google? Check the GOOGLE_* settings of the server")


def oauth_refusal(code: str, table: Refusals, status: int | None = None) -> errors.StorageError:
    """Our error for an OAuth error code; Google's own text is not told."""
    kind, field, text = table.get(code, (errors.Unavailable, None, "Google could not issue a token"))
    told = [f"HTTP {status}"] * (status is not None) + [code] * (code in table)
    return kind(f"{text} ({' '.join(told)})" if told else text, field=field)


@contextmanager
def translated(field: str | None = None, *, table: Refusals | None = None) -> Iterator[None]:
    """Turns google-auth's failures into ours; ours, raised by ``transport``, pass through.

    https://googleapis.dev/python/google-auth/latest/reference/google.auth.exceptions.html
    """
    from google.auth import exceptions as failures

    try:
        yield
    except failures.TransportError as error:
        raise errors.Unavailable("Could not reach Google's token service") from error
    except failures.MalformedError as error:
        raise errors.BadCredentials("this server's Google credentials are damaged; ask the operator", field=field) from error
    except failures.DefaultCredentialsError as error:
        message = "this server has no usable Google identity of its own; enter a key, or ask the operator"
        raise errors.ConfigInvalid(message, field=field) from error
    except failures.OAuthError as error:
        raise oauth_refusal(_code_of(error), table or {}) from error
    except failures.GoogleAuthError as error:
        raise errors.BadCredentials("Google rejected this server's own identity; ask the operator", field=field) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # how google-auth meets an answer that is none
        raise errors.Unavailable("the answer holds no token; check the GOOGLE_* settings of the server") from error


def _code_of(error: Exception) -> str:
    try:
        return str(json.loads(error.args[1])["error"])
    except (LookupError, TypeError, ValueError):
        return ""


def iam(caller: Caller, email: str, method: str, wish: Mapping[str, Any], verb: str, grant: str) -> dict[str, Any]:
    """The answer of IAM Credentials to ``method`` on the account ``email``. Raises AccessDenied with ``grant``."""
    url = f"{settings.GOOGLE_IAMCREDENTIALS_URL}/v1/projects/-/serviceAccounts/{quote(email, safe='@')}:{method}"

    def attempt() -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {caller.token()}", "Content-Type": "application/json"}
        return post(url, json.dumps(wish).encode(), headers)

    status, answer = attempt()
    if status == 401 and caller.renew():
        status, answer = attempt()
    if status == 200:
        return answer
    raise _iam_refusal(status, email, verb, grant)


def _iam_refusal(status: int, email: str, verb: str, grant: str) -> errors.StorageError:
    kind = IAM_KINDS.get(status, errors.Unavailable)
    text = {
        errors.AccessDenied: f"Google does not let us {verb} as {email}, or there is no such account; grant {grant}",
        errors.NotFound: f"there is no service account {email}",
        errors.BadCredentials: "Google rejected the token that was to become this service account",
    }.get(kind, f"Google did not let us {verb} as {email}")
    error = kind(f"{text} (HTTP {status})")
    error.grant = grant if kind is errors.AccessDenied else ""
    return error


def sign_blob(caller: Caller, email: str, message: bytes, grant: str) -> bytes:
    """A signature by Google's own key of the account; it outlives the token and is good for 12 hours, mostly for longer.

    https://cloud.google.com/storage/docs/authentication/creating-signatures, "Important"
    """
    answer = iam(caller, email, "signBlob", {"payload": base64.b64encode(message).decode()}, "sign", grant)
    try:
        return base64.b64decode(text_of(answer, "signedBlob"), validate=True)
    except binascii.Error as error:
        raise errors.Unavailable("the answer holds no signature; check GOOGLE_IAMCREDENTIALS_URL") from error
