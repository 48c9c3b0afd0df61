"""From the failures of HTTP libraries to ours: connections that break off, services that are busy. Knows no vendor."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from storages import errors


@contextmanager
def translated(host: str) -> Iterator[None]:
    """Turns urllib3's failures into ours; ``host`` is named in the message."""
    from urllib3 import exceptions as failures

    try:
        yield
    except failures.HTTPError as error:
        reason = getattr(error, "reason", None) or error  # after retries the last failure is wrapped
        if isinstance(reason, errors.StorageError):
            raise reason from error
        match reason:
            case failures.ConnectTimeoutError() | failures.ReadTimeoutError():
                raise errors.TimedOut(f"Could not reach {host}: it did not answer in time") from error
            case failures.EmptyPoolError():
                raise errors.Throttled(f"as many requests to {host} as it allows are under way; try again") from error
            case failures.SSLError():
                raise errors.Unavailable(f"Could not reach {host}: its TLS certificate was not accepted") from error
        raise errors.Unavailable(f"Could not reach {host}: the connection was refused or broke off") from error


@contextmanager
def reached(service: str) -> Iterator[None]:
    """The same for sessions of requests, which sign-in libraries work with; ``service`` is named in the message."""
    import requests

    try:
        yield
    except requests.Timeout as error:
        raise errors.TimedOut(f"Could not reach {service}: it did not answer in time") from error
    except requests.exceptions.SSLError as error:
        raise errors.Unavailable(f"Could not reach {service}: its TLS certificate was not accepted") from error
    except requests.RequestException as error:
        raise errors.Unavailable(f"Could not reach {service}: the connection was refused or broke off") from error


def refuse_busy(response: Any, service: str) -> None:
    """Raises Throttled or Unavailable if a sign-in service (a response of requests) is busy or broken."""
    status = response.status_code
    if status in (429, 503):
        raise errors.Throttled(f"{service} asks to slow down; try again later", retry_after=retry_after(response.headers))
    if status >= 500:
        raise errors.Unavailable(f"{service} failed on its side (HTTP {status})")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header (RFC 9110 §10.2.3), None if it is a date, nonsense or absent."""
    told = headers.get("Retry-After", "")
    return float(told) if told.isdecimal() and len(told) < 6 else None
