"""Checks of entered settings, the same for every backend: presence, characters, URLs, folders. Looks nothing up."""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from storages.errors import ConfigInvalid

AUTHORITY = re.compile(r"[\w.\-]+(:[0-9]+)?|\[[0-9A-Fa-f:.%\w]+\](:[0-9]+)?")  # host and port as people write them


def required(value: str | None, field: str, what: str) -> str:
    """``value``, or ConfigInvalid naming the field when it is empty."""
    if not value:
        raise ConfigInvalid(f"{what} must be set", field=field)
    return value


def printable(value: str, field: str) -> str:
    """``value``, or ConfigInvalid naming the field when no HTTP header can carry it (RFC 9110 §5.5)."""
    if not (value.isascii() and value.isprintable()):
        raise ConfigInvalid("holds a line break or a character that no key has; copy it again", field=field)
    return value


def folder(root: str) -> str:
    """A prefix as a folder, "" or ending in "/", or ConfigInvalid: HTTP clients fold "." and "..", which would lead out of it."""
    if not {".", ".."}.isdisjoint(root.split("/")):
        raise ConfigInvalid("a prefix cannot have '.' or '..' parts", field="prefix")
    return root


def parse_base_url(url: str, *, field: str) -> SplitResult:
    """An http(s) base URL without path, query or credentials; no look-up yet. Raises ConfigInvalid naming ``field``."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigInvalid(f"{url!r} is not a URL", field=field) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ConfigInvalid(f"{url!r} must be an http:// or https:// URL", field=field)
    if set("?#@\\\t\r\n") & set(url) or parts.path.strip("/"):
        raise ConfigInvalid("give scheme, host and port only, without path, query or credentials", field=field)
    if not AUTHORITY.fullmatch(parts.netloc):
        raise ConfigInvalid(f"{parts.netloc!r} is not a host with or without a port", field=field)
    return parts


def parse_secure_url(url: str, *, field: str) -> SplitResult:
    """A base URL that a secret may be sent to: https, or an http:// address inside SSRF_ALLOWED_NETWORKS."""
    parts = parse_base_url(url, field=field)
    if parts.scheme == "https" or _allowed_explicitly(parts.hostname or ""):
        return parts
    raise ConfigInvalid(f"must be an https:// URL, such as https://{parts.hostname}", field=field)


def _allowed_explicitly(host: str) -> bool:
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return False
    return any(address in block for block in settings.SSRF_ALLOWED_NETWORKS if block.version == address.version)
