"""A store at the wire with one object that misbehaves as told, and a client for it; every refusal is a real answer."""

import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from storages.client import Page
from storages.providers.http import HTTPClient

KEY = "film.bin"
BROKEN = ("reset", "silent", "stall", "truncate")


@dataclass
class Fault:
    """What one answer does after ``after`` bytes of its body: ``reset``, ``stall``, ``truncate``; or ``status`` at once, or ``silent``: not even a head."""

    kind: str
    after: int = 0
    status: int = 500
    etag: str = "v1"


@dataclass
class Upstream:
    """``faults`` are used up one by one, one an answer; ``asked`` are the Range headers; ``open``: bodies under way."""

    data: bytes
    faults: list[Fault] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    url: str = ""
    open: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, change: int) -> None:
        with self.lock:
            self.open += change


class WireClient(HTTPClient):
    """Reads the upstream at ``base`` without credentials."""

    scheme, container = "wire", "box"

    def __init__(self, base: str) -> None:
        self.base = base

    def url(self, key: str = "", query: Mapping[str, str] | None = None) -> str:
        return f"{self.base}/{key}"

    def authorize(self, method: str, url: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
        return headers

    def list(self, **options: Any) -> Iterator[Page]:
        raise NotImplementedError

    def write(self, key: str, data: bytes, content_type: str = "") -> None:
        raise NotImplementedError


@contextmanager
def upstream(data: bytes) -> Iterator[Upstream]:
    """Serves ``data`` as every key, on a free loopback port."""
    store = Upstream(data)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def handle(self) -> None:
            with suppress(ConnectionError):  # the other side may break off whenever it likes
                super().handle()

        def do_GET(self) -> None:
            asked = self.headers.get("Range", "")
            store.asked.append(asked)
            answer(self, store, store.faults.pop(0) if store.faults else Fault(""), asked)

    class Listener(ThreadingHTTPServer):
        daemon_threads, request_queue_size = True, 128

    server = Listener(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    store.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()


def answer(handler: BaseHTTPRequestHandler, store: Upstream, fault: Fault, asked: str) -> None:
    """One GET: the slice that ``asked`` selects, or the fault."""
    if fault.kind == "status":
        handler.send_response(fault.status)
        handler.send_header("Content-Length", "0")
        return handler.end_headers()
    if fault.kind == "silent":
        return send(handler, store, fault, b"")
    first, _, last = asked.removeprefix("bytes=").partition("-")
    start, stop = int(first or 0), min(int(last or len(store.data)) + 1, len(store.data))
    handler.send_response(206 if asked else 200)
    handler.send_header("Content-Length", str(stop - start))
    handler.send_header("ETag", f'"{fault.etag}"')
    if asked:
        handler.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(store.data)}")
    handler.end_headers()
    send(handler, store, fault, store.data[start:stop])


def send(handler: BaseHTTPRequestHandler, store: Upstream, fault: Fault, body: bytes) -> None:
    """The body as far as the fault lets it go; a stall lasts until the other side hangs up."""
    store.count(+1)
    try:
        handler.wfile.write(body[: fault.after] if fault.kind in BROKEN else body)
        if fault.kind in ("silent", "stall"):
            handler.connection.recv(1)
        if fault.kind == "reset":
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST, no FIN
    except OSError:
        pass  # the other side is gone
    finally:
        handler.close_connection = handler.close_connection or fault.kind in BROKEN
        store.count(-1)
