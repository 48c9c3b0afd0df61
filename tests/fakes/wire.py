"""A threaded HTTP/1.1 server on a free loopback port: hands raw requests to one function, sends its answers.

Knows nothing of any vendor. The request target stays as it came over the wire, because signatures cover it.
"""

import socket
import ssl
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import unquote_to_bytes


@dataclass(frozen=True)
class Request:
    """One request; ``path`` and ``query`` are percent-encoded as sent, header names are lower case, in order."""

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """All values of the header ``name`` (lower case) joined by commas, None if it was not sent."""
        values = [value for key, value in self.headers if key == name]
        return ",".join(values) if values else None

    @property
    def parameters(self) -> list[tuple[bytes, bytes]]:
        """The decoded query in the order sent; a name without "=" has an empty value, "+" means a space."""
        pairs = [part.partition("=") for part in self.query.split("&") if part]
        return [(decode_form(name), decode_form(value)) for name, _, value in pairs]

    def parameter(self, name: str) -> str | None:
        """The first value of the query parameter ``name``, None if it was not sent."""
        return next((value.decode("utf-8", "replace") for key, value in self.parameters if key == name.encode()), None)


@dataclass
class Response:
    """One answer. ``cut_after``: bytes of the body after which the connection breaks off; ``drop``: no answer at all."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut_after: int | None = None
    drop: bool = False


def decode_form(text: str) -> bytes:
    return unquote_to_bytes(text.replace("+", " "))


class Server(ThreadingHTTPServer):
    """Serves ``answer`` until closed; a context manager. Closing also breaks connections kept alive."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, answer: Callable[[Request], Response], tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.tls = answer, tls
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server_address[1]}"
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        self._open.discard(request)
        super().shutdown_request(request)

    def finish_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        """In the connection's own thread: the TLS handshake, then the requests."""
        if self.tls is None:
            return super().finish_request(request, client_address)
        secured = self.tls.wrap_socket(request, server_side=True)  # takes the descriptor over from ``request``
        self._open.add(secured)
        try:
            super().finish_request(secured, client_address)
        finally:
            self.shutdown_request(secured)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error of the server; anything else is shown."""
        if not isinstance(sys.exception(), ConnectionError | ssl.SSLError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    def close(self) -> None:
        """Stops listening, then breaks what is still open."""
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # closed meanwhile by its own thread
        self._thread.join(timeout=5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Handler(BaseHTTPRequestHandler):
    """Reads one request after another off a connection; writes head and body in one piece (no Nagle stalls)."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: Server

    def handle_expect_100(self) -> bool:
        proceed = super().handle_expect_100()
        self.wfile.flush()  # a client waits a second for this line before it sends the body
        return proceed

    def answer(self) -> None:
        target = self.requestline.split(" ")[1]  # self.path has leading slashes folded
        path, _, query = target.partition("?")
        headers = [(name.lower(), value) for name, value in self.headers.items()]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True  # a chunked body is left unread; the fakes answer as their originals do
        self.send(self.server.answer(Request(self.command, path, query, headers, body)))

    def send(self, response: Response) -> None:
        if response.drop:
            self.close_connection = True
            return
        self.send_response_only(response.status, HTTPStatus(response.status).phrase)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body if response.cut_after is None else response.body[: response.cut_after])
        if response.cut_after is not None:
            self.close_connection = True
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Silent: tests read the log of the fake instead."""

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_OPTIONS = answer
