"""Where a Redis server is, how a connection to it is made, and what its error replies mean; knows no Django model."""

import ipaddress
import re
import ssl
import time
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from storages import budget, egress, errors
from storages.meter import Meter

READ_TIMEOUT = 10  # seconds without a byte (protocols.md §5)
ANSWER_LIMIT, ANSWER_TIME = 16 * 1024**2, 60  # bytes and seconds of the answers to what was sent at once
# How an error reply begins, what kind it is, what to say instead of the usual sentence, the setting at fault.
# https://redis.io/docs/latest/develop/reference/protocol-spec/ (simple errors: the first word is the code), …/reference/clients/
# (max clients), …/reference/eviction/ (OOM),
# …/operate/oss_and_stack/management/replication/ (READONLY, NOREPLICAS), https://redis.io/docs/latest/commands/auth/, …/select/
REPLIES: tuple[tuple[str, type[errors.StorageError], str, str | None], ...] = (
    ("ERR AUTH <password> called without", errors.BadCredentials, "has no password; leave the field empty", "password"),
    ("ERR Client sent AUTH, but no password", errors.BadCredentials, "has no password; leave the field empty", "password"),
    ("ERR invalid password", errors.BadCredentials, "", "password"),
    ("NOAUTH", errors.BadCredentials, "asks for a password; enter it", "password"),
    ("WRONGPASS", errors.BadCredentials, "", "password"),
    ("NOPERM", errors.AccessDenied, "", None),
    ("ERR DB index", errors.ConfigInvalid, "does not have this database; choose a lower number", "db"),
    ("ERR invalid DB index", errors.ConfigInvalid, "does not have this database; choose a lower number", "db"),
    ("ERR SELECT is not allowed in cluster", errors.ConfigInvalid, "is a cluster, which has no numbered databases", "host"),
    ("MOVED", errors.ConfigInvalid, "is a cluster, which has no numbered databases", "host"),
    ("READONLY", errors.ConfigInvalid, "is a read-only replica; give the address of the primary", "host"),
    ("ERR max number of clients", errors.Throttled, "has as many clients as it takes; try again later", None),
    ("OOM", errors.Full, "is out of memory; free some, or raise its maxmemory", None),
    ("NOREPLICAS", errors.Unavailable, "takes no writes because it has too few replicas", None),
    ("LOADING", errors.Unavailable, "is still loading its data; try again later", None),
    ("BUSY", errors.Unavailable, "is busy with a script; try again later", None),
    ("MASTERDOWN", errors.Unavailable, "is a replica that lost its primary", None),
    ("MISCONF", errors.Unavailable, "takes no writes because it cannot save to its disk", None),
    ("WRONGTYPE", errors.Malformed, "holds another data type under this key; only strings can be read", None),
)


class Address(NamedTuple):
    """Where a server is and as whom we sign in; "" is the default user."""

    host: str
    port: int
    tls: bool = False
    username: str = ""


def parse_address(host: str, port: str) -> Address:
    """``host``: a name, or ``redis[s]://[user@]name[:port]``, empty for localhost. Raises ConfigInvalid naming the field."""
    wrong = errors.ConfigInvalid("give a host name, or redis://name or rediss://name (TLS), without path or query", field="host")
    try:
        url = f"redis://[{ipaddress.IPv6Address(host)}]"
    except ValueError:
        url = host if "://" in host else f"redis://{host or 'localhost'}"
    try:
        parts = urlsplit(url)
        told = parts.port
    except ValueError:
        raise wrong from None
    if parts.password is not None:
        raise errors.ConfigInvalid("the password belongs into the password field, not into the host", field="host")
    if parts.scheme not in ("redis", "rediss") or not re.fullmatch(r"[\w.\-:]+", parts.hostname or "") or told == 0:
        raise wrong
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise wrong
    if port and not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise errors.ConfigInvalid("a port is a number from 1 to 65535; the usual one is 6379", field="port")
    if port and told and int(port) != told:
        raise errors.ConfigInvalid(f"the host names port {told} already; leave this empty", field="port")
    return Address(parts.hostname or "", int(port or told or 6379), parts.scheme == "rediss", unquote(parts.username or ""))


def escape(text: str) -> str:
    """``text`` as a pattern that matches only itself. https://redis.io/docs/latest/commands/keys/ (glob-style patterns)"""
    return re.sub(r"([\\*?\[\]^\-])", r"\\\1", text)


def parse_cursor(text: str) -> int:
    """The cursor of a SCAN, 0 for its beginning; an unsigned 64-bit number. Raises CursorLost."""
    if text and not (text.isascii() and text.isdigit() and len(text) <= 20 and int(text) < 2**64):
        raise errors.CursorLost("the place where the listing is to go on cannot be read; list anew")
    return int(text or 0)


class Metered:
    """A socket whose answers end: a server that floods or drips would otherwise cost memory and a thread."""

    def __init__(self, raw: Any, meter: Meter) -> None:
        self.raw, self.meter = raw, meter
        self._rewind()

    def _rewind(self) -> None:
        self.left, self.until = ANSWER_LIMIT, time.monotonic() + ANSWER_TIME

    def sendall(self, data: bytes) -> None:
        self._rewind()
        self.raw.sendall(data)

    def recv(self, size: int) -> bytes:
        data = self.raw.recv(size)
        self.left -= len(data)
        self.meter.count(size=len(data))
        if self.left < 0 or time.monotonic() > self.until:
            raise errors.Unavailable("the Redis server answers too much or too slowly")
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)


@lru_cache(maxsize=1)
def connection_class() -> type:
    """redis-py's connection, over a vetted address and our TLS settings; our own errors pass through redis-py as they are."""
    from redis.connection import Connection

    class VettedConnection(Connection):
        def __init__(self, *, tls: bool, meter: Meter, **options: Any) -> None:
            super().__init__(**options)
            self.tls, self.meter = tls, meter

        def _connect(self) -> Metered:
            where = f"{self.host}:{self.port}"
            try:
                raw = egress.connect(self.host, self.port)
            except TimeoutError as error:
                raise errors.TimedOut(f"{where} did not answer; check host, port and firewall") from error
            except OSError as error:
                raise errors.Unavailable(f"Could not reach {where}: {error.strerror or error}; check host and port") from error
            raw.settimeout(budget.seconds_left(egress.CONNECT_TIMEOUT))
            raw = secured(raw, self.host, where) if self.tls else raw
            raw.settimeout(budget.seconds_left(READ_TIMEOUT))
            return Metered(raw, self.meter)

    return VettedConnection


def secured(raw: Any, host: str, where: str) -> ssl.SSLSocket:
    """TLS over ``raw``. Raises Unavailable: the certificate is not accepted, or the port does not speak TLS."""
    try:
        return egress.tls().wrap_socket(raw, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise errors.Unavailable(f"the TLS certificate of {where} was not accepted: {error.verify_message}") from error
    except OSError as error:  # a plain server waits for the end of a line (TimeoutError), or refuses the line it read
        raise errors.Unavailable(f"{where} does not answer in TLS; write redis:// if it is a plain port") from error
