"""The one place that opens connections to user-given hosts: every connection is made to an address vetted just before.

The name is resolved once per connection and the socket goes to the very address that was checked, so neither a
second DNS answer (rebinding) nor a redirect (none is followed) can lead elsewhere (CVE-2023-47116, CVE-2025-25297).
"""

import ipaddress
import queue
import socket
import ssl
import threading
import time
from functools import lru_cache

import certifi
import requests
import urllib3
from django.conf import settings
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

from storages import budget, checks, sockets, watchdog
from storages.errors import EgressDenied, TimedOut, Unavailable

# IANA special-purpose registries (RFC 6890 and updates), cloud metadata addresses among them: 169.254.169.254
# is link-local, fd00:ec2::254 is unique-local, 100.100.100.200 lies in the shared space 100.64.0.0/10.
RESERVED = [
    ipaddress.ip_network(block)
    for block in (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 "
        "192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 "
        # ::/96 holds ::, ::1 and IPv4-compatible addresses; fec0::/10 is the old site-local space (RFC 3879)
        "::/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/32 2001:db8::/32 2002::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8 "
        "168.63.129.16/32"  # Azure's WireServer: a public number that only a virtual machine's own host answers
    ).split()
]
HEAD_TIME = 10  # seconds beyond a read time-out for the whole head of an answer
SIZE = 64  # connections kept per host: the readers of a sync and its listings, and the media of some pages
FRESH = 1  # seconds; servers keep idle connections for five or more
LOOK_UP_TIMEOUT = 10  # seconds; glibc waits 5 s twice for each name server (resolv.conf(5))
CONNECT_TIMEOUT, READ_TIMEOUT = 5, 20  # seconds; protocols.md §0.10: SDK defaults take 85–120 s to notice a dead host


def reserved_block(address: str) -> str | None:
    """The reserved network ``address`` lies in, None if it may be reached; an IPv4-mapped address counts as IPv4."""
    if not settings.SSRF_PROTECTION_ENABLED:
        return None
    ip = ipaddress.ip_address(address.split("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if any(ip in block for block in settings.SSRF_ALLOWED_NETWORKS if block.version == ip.version):
        return None
    return next((str(block) for block in RESERVED if block.version == ip.version and ip in block), None)


def resolve(host: str, port: int) -> list[str]:
    """The addresses of ``host``, all of them vetted. Raises EgressDenied, or Unavailable if the name has none."""
    try:
        found = _look_up(host.strip("[]"), port)
    except (OSError, UnicodeError):
        raise Unavailable(f"Could not reach {host}: the name cannot be resolved; check its spelling and the DNS") from None
    addresses = list(dict.fromkeys(str(item[4][0]) for item in found))
    for address in addresses:
        if block := reserved_block(address):
            raise EgressDenied(
                f"URL resolves to a reserved network address (block: {block}); if {host} is meant, "
                "the operator can add its network to SSRF_ALLOWED_NETWORKS"
            )
    return addresses


def _look_up(host: str, port: int) -> list[tuple]:
    """In a thread that is left to itself when the time is over: a look-up cannot be cancelled. Raises TimedOut."""
    answer: queue.SimpleQueue = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(socket.getaddrinfo(host, port, socket.AF_UNSPEC, socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answer.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        found = answer.get(timeout=budget.seconds_left(LOOK_UP_TIMEOUT))
    except queue.Empty:
        raise TimedOut(f"Could not reach {host}: its name could not be looked up in time; check the DNS") from None
    if isinstance(found, Exception):
        raise found
    return found


def vet_url(url: str, *, field: str) -> None:
    """Looks the host of a base URL up. Raises ConfigInvalid naming ``field``, EgressDenied, Unavailable."""
    parts = checks.parse_base_url(url, field=field)
    resolve(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))


def connect(host: str, port: int, timeout: float = CONNECT_TIMEOUT) -> socket.socket:
    """A TCP connection to the first vetted address of ``host`` that answers. Raises OSError, EgressDenied, Unavailable."""
    failure: OSError | None = None
    for address in resolve(host, port):
        try:
            connection = socket.create_connection((address, port), timeout=budget.seconds_left(timeout))
        except OSError as error:
            failure = error
        else:
            left = connection.gettimeout()
            connection = sockets.SteadySocket(fileno=connection.detach())
            connection.settimeout(left)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if limit := budget.current():
                limit.watch(connection)
            return connection
    raise failure or OSError("no address")


class Patience(urllib3.Retry):
    """Retries as urllib3 does, but a host that asks for more than ``retry_after_max`` seconds is told of, not waited for."""

    def increment(self, *args: object, response: urllib3.BaseHTTPResponse | None = None, **options: object) -> urllib3.Retry:
        told = response.headers.get("Retry-After", "") if response is not None else ""
        if told.isdecimal() and float(told) > self.retry_after_max:
            raise urllib3.exceptions.MaxRetryError(None, None, urllib3.exceptions.ResponseError("asked for more patience"))
        return super().increment(*args, response=response, **options)


class _Vetted:
    """Mixin of urllib3 connections: replaces the look-up and connect of urllib3 by ours."""

    _used = 0.0  # when the last answer began

    @property
    def is_connected(self) -> bool:
        """A connection in steady use is not asked each time; a request over one that was closed meanwhile is repeated."""
        return self.sock is not None and (time.monotonic() - self._used < FRESH or super().is_connected)

    def request(self, *args: object, **options: object) -> None:
        if self.sock is not None:
            self.timeout = self.sock.gettimeout()  # one for sending and receiving, which spares two changes a request
        super().request(*args, **options)

    def _new_conn(self) -> socket.socket:
        timeout = self.timeout if isinstance(self.timeout, int | float) else CONNECT_TIMEOUT
        try:
            return connect(self._dns_host, self.port, timeout)
        except TimeoutError as error:
            raise urllib3.exceptions.ConnectTimeoutError(self, f"connection to {self.host} timed out") from error
        except OSError as error:
            raise NewConnectionError(self, f"connection to {self.host} failed: {error.strerror or error}") from error

    def getresponse(self) -> urllib3.HTTPResponse:
        """The head of the answer, in bounded time as a whole; nobody reads on to the end of a body that may have none."""
        if limit := budget.current():
            limit.watch(self.sock)
        with watchdog.within(self.sock, (self.sock.gettimeout() or READ_TIMEOUT) + HEAD_TIME):
            response = super().getresponse()
        response.watched, self._used = self.sock, time.monotonic()
        response.drain_conn = response.close
        return response


class _VettedHTTP(_Vetted, HTTPConnection):
    pass


class _VettedHTTPS(_Vetted, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _VettedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _VettedHTTPS


@lru_cache(maxsize=2)
def tls(verify: bool = True) -> ssl.SSLContext:
    """The authorities of the system, of certifi and of EXTRA_CA_CERTS; ``verify=False`` accepts any certificate."""
    context = ssl.create_default_context()
    context.sslsocket_class = sockets.SteadyTLSSocket
    context.load_verify_locations(certifi.where())
    if settings.EXTRA_CA_CERTS:
        context.load_verify_locations(settings.EXTRA_CA_CERTS)
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def pool(*, verify: bool = True, size: int = SIZE, block: bool = False) -> urllib3.PoolManager:
    """A pool of vetted connections that follows no redirect and retries nothing by itself.

    ``size``: connections kept per host; with ``block`` it is also the most requests in flight per host.
    """
    manager = urllib3.PoolManager(
        num_pools=50,
        maxsize=size,
        block=block,
        retries=False,
        timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT),
        ssl_context=tls(verify),
        assert_hostname=None if verify else False,
    )
    manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
    return manager


class _VettedAdapter(requests.adapters.HTTPAdapter):
    """requests over the same vetted connections, within our time limits whatever the caller asks for."""

    def init_poolmanager(self, *args: object, **kwargs: object) -> None:
        super().init_poolmanager(*args, ssl_context=tls(), **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def cert_verify(self, conn: object, url: str, verify: object, cert: object) -> None:
        """The pool's context decides; a bundle named by the caller or the environment does not (protocols.md §0.1)."""

    def send(self, request: requests.PreparedRequest, **options: object) -> requests.Response:
        options["timeout"] = (budget.seconds_left(CONNECT_TIMEOUT), budget.seconds_left(READ_TIMEOUT))
        return super().send(request, **options)

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: object, cert: object = None
    ) -> tuple:
        host, _ = super().build_connection_pool_key_attributes(request, True, None)
        return host, {}


def session() -> requests.Session:
    """A requests session over vetted connections that ignores .netrc, proxies and CA variables of the environment."""
    made = requests.Session()
    made.trust_env = False  # protocols.md §0.1: a .netrc entry would replace the bearer token
    made.max_redirects = 0
    for prefix in ("http://", "https://"):
        made.mount(prefix, _VettedAdapter())
    return made


@lru_cache(maxsize=8)
def shared_pool(verify: bool = True, size: int = SIZE, block: bool = False) -> urllib3.PoolManager:
    """The process-wide pool, so that clients built per request reuse connections; hosts are kept apart by urllib3."""
    return pool(verify=verify, size=size, block=block)
