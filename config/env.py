"""Reads settings from environment variables and refuses unclear values; knows nothing of Django.

Every name is looked up as ``LABEL_STUDIO_NAME`` first, then ``NAME``, so that an existing Label Studio
environment keeps working.
"""

import contextlib
import ipaddress
import os
import secrets
import tempfile
from pathlib import Path

TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


class EnvError(Exception):
    """An environment variable holds a value that could mean two things, or nothing."""


def env_str(name: str, default: str = "") -> str:
    """The variable's text without surrounding blanks; an empty variable counts as unset."""
    for candidate in (f"LABEL_STUDIO_{name}", name):
        if value := os.environ.get(candidate, "").strip():
            return value
    return default


def env_bool(name: str, default: bool) -> bool:
    """``1/true/yes/on`` or ``0/false/no/off`` in any case; anything else raises EnvError."""
    value = env_str(name).lower()
    if not value:
        return default
    if value in TRUE:
        return True
    if value in FALSE:
        return False
    raise EnvError(f"{name}={value!r} is neither true nor false; use one of: true, false, 1, 0, yes, no, on, off")


def env_int(name: str, default: int, *, minimum: int = 0, maximum: int = 2**31 - 1) -> int:
    """A whole number within ``minimum``..``maximum`` inclusive, else EnvError."""
    value = env_str(name)
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        raise EnvError(f"{name}={value!r} is not a whole number") from None
    if not minimum <= number <= maximum:
        raise EnvError(f"{name}={number} is outside {minimum}..{maximum}")
    return number


def env_list(name: str, default: str = "") -> list[str]:
    """Comma-separated values, blanks trimmed, empty members dropped."""
    return [part.strip() for part in env_str(name, default).split(",") if part.strip()]


def env_networks(name: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Comma-separated CIDR blocks; a value that is no network raises EnvError."""
    try:
        return [ipaddress.ip_network(part) for part in env_list(name)]
    except ValueError as error:
        raise EnvError(f"{name}: {error}; give CIDR blocks such as 10.0.0.0/8") from None


def env_url(name: str, default: str = "") -> str:
    """An http(s) URL without a trailing slash, else EnvError."""
    value = env_str(name, default)
    if value and not value.startswith(("http://", "https://")):
        raise EnvError(f"{name}={value!r} must start with http:// or https://")
    return value.rstrip("/")


def env_secret(name: str) -> str:
    """The value of ``NAME``, or the content of the file named by ``NAME_FILE``; both set raises EnvError."""
    value, path = env_str(name), env_str(f"{name}_FILE")
    if value and path:
        raise EnvError(f"{name} and {name}_FILE are both set; set one of them")
    if not path:
        return value
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise EnvError(f"{name}_FILE={path!r} cannot be read: {error.strerror}") from None


def env_key(name: str, path: Path, make=lambda: secrets.token_urlsafe(48)) -> str:
    """The secret ``name``; when unset, the content of ``path``, made on first use with mode 0600."""
    if value := env_secret(name):
        return value
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.name, encoding="utf-8") as file:  # mode 0600
            file.write(make())
            file.flush()
            with contextlib.suppress(FileExistsError):  # another process was first: its key counts
                os.link(file.name, path)
    return path.read_text(encoding="utf-8").strip()
