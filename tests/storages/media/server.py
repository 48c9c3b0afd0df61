"""A real gunicorn with tests.storages.media.served in it, and how a browser treats its sockets."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tests.environment import free_port, wait_for_port


class Server(NamedTuple):
    port: int

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)

    def get(self, path: str) -> tuple[http.client.HTTPResponse, bytes]:
        """An answer over a connection of its own, and its body."""
        connection = self.connect()
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer, body

    def closed(self) -> int:
        return int(self.get("/closed")[1])

    def closes(self, count: int, seconds: float = 8) -> bool:
        """Whether the upstream was closed ``count`` times before ``seconds`` passed."""
        until = time.monotonic() + seconds
        while self.closed() < count and time.monotonic() < until:
            time.sleep(0.05)
        return self.closed() == count

    def raw(self, key: str, receive_buffer: int = 0) -> socket.socket:
        """A connection over which ``key`` was asked for; ``receive_buffer``: bytes that the system takes unread."""
        connection = socket.socket()
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(10)
        connection.connect(("127.0.0.1", self.port))
        connection.sendall(f"GET /{key} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return connection

    def begin(self, key: str, receive_buffer: int = 0) -> tuple[socket.socket, bytes]:
        """``raw``, and the head of the answer with the bytes that came along."""
        connection = self.raw(key, receive_buffer)
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        return connection, head


@contextmanager
def serving(*options: str, **environment: str) -> Iterator[Server]:
    """gunicorn with ``options``; ``-c python:config.gunicorn`` makes it the default server."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--graceful-timeout", "1", *options]
    process = subprocess.Popen(
        [*command, "tests.storages.media.served:application"], env=os.environ | environment, stderr=subprocess.DEVNULL
    )
    try:
        wait_for_port(port, process)
        yield Server(port)
    finally:
        process.terminate()
        process.wait(10)
