"""Streaming through a real gunicorn: what a browser's behaviour on the socket means for the upstream."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.environment import free_port, wait_for_port
from tests.storages.media.served_sizes import BREAKS_AT, SIZE

SECONDS = 1  # RESOLVER_PROXY_TIMEOUT of the server under test


class Server(NamedTuple):
    port: int

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)

    def closed(self) -> int:
        connection = self.connect()
        connection.request("GET", "/closed")
        count = int(connection.getresponse().read())
        connection.close()
        return count

    def closes(self, count: int, seconds: float = 8) -> bool:
        """Whether the upstream was closed ``count`` times before ``seconds`` passed."""
        until = time.monotonic() + seconds
        while self.closed() < count and time.monotonic() < until:
            time.sleep(0.05)
        return self.closed() == count

    def raw(self, key: str) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        connection.sendall(f"GET /{key} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return connection


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--threads", "4", "--graceful-timeout", "1"]
    process = subprocess.Popen(
        [*command, "--bind", f"127.0.0.1:{port}", "tests.storages.media.served:application"],
        env=os.environ | {"RESOLVER_PROXY_TIMEOUT": str(SECONDS)},
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port, process)
        yield Server(port)
    finally:
        process.terminate()
        process.wait(10)


def test_a_browser_that_goes_away_closes_the_upstream(server):
    before = server.closed()
    connection = server.raw("large.bin")
    assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    connection.close()
    assert server.closes(before + 1)


def test_a_browser_that_stops_reading_loses_its_connection_and_frees_the_upstream(server):
    before = server.closed()
    connection = server.raw("large.bin")
    assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    assert server.closes(before + 1)
    connection.close()


def test_an_upstream_that_breaks_off_never_looks_like_a_complete_answer(server):
    before = server.closed()
    connection = server.connect()
    connection.request("GET", "/breaking.bin")
    response = connection.getresponse()
    assert (response.status, response.getheader("Content-Length")) == (200, str(SIZE))
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)) as broken:
        response.read()
    if isinstance(broken.value, http.client.IncompleteRead):
        assert len(broken.value.partial) <= BREAKS_AT
    assert server.closes(before + 1)


def test_one_connection_serves_answers_with_and_without_a_body_one_after_the_other(server):
    connection = server.connect()
    connection.request("GET", "/small.txt")
    whole = connection.getresponse()
    assert whole.read() == b"hello"
    for method, headers, status, body in (
        ("HEAD", {}, 200, b""),
        ("GET", {"If-None-Match": whole.getheader("ETag")}, 304, b""),
        ("GET", {"Range": "bytes=1-3"}, 206, b"ell"),
        ("GET", {}, 200, b"hello"),
    ):
        connection.request(method, "/small.txt", headers=headers)
        response = connection.getresponse()
        assert (response.status, response.read()) == (status, body)
    connection.close()
