"""Streaming through a real gunicorn: what a browser's behaviour on the socket means for the upstream."""

import http.client
import time
from collections.abc import Iterator

import pytest

from tests.storages.media.served_sizes import BREAKS_AT, SIZE
from tests.storages.media.server import Server, serving
from tests.storages.media.upstream import KEY, Fault, Upstream, upstream

SECONDS = 1  # RESOLVER_PROXY_TIMEOUT of the server under test
WIRED = bytes(range(256)) * 4096  # 1 MiB, two buffers


@pytest.fixture(scope="module")
def store() -> Iterator[Upstream]:
    with upstream(WIRED) as started:
        yield started


@pytest.fixture(scope="module")
def server(store: Upstream) -> Iterator[Server]:
    options = ("--worker-class", "gthread", "--threads", "8")
    with serving(*options, RESOLVER_PROXY_TIMEOUT=str(SECONDS), UPSTREAM_URL=store.url) as started:
        yield started


@pytest.fixture(scope="module")
def patient(store: Upstream) -> Iterator[Server]:
    """A server with the default RESOLVER_PROXY_TIMEOUT."""
    with serving("--worker-class", "gthread", "--threads", "8", UPSTREAM_URL=store.url) as started:
        yield started


def begins(store: Upstream, seconds: float) -> bool:
    """Whether the upstream has an answer under way before ``seconds`` passed."""
    until = time.monotonic() + seconds
    while not store.open and time.monotonic() < until:
        time.sleep(0.01)
    return store.open > 0


def ends(store: Upstream, seconds: float) -> bool:
    """Whether the upstream has no answer under way any more before ``seconds`` passed."""
    until = time.monotonic() + seconds
    while store.open and time.monotonic() < until:
        time.sleep(0.01)
    return not store.open


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


def test_a_browser_that_reads_slowly_but_steadily_gets_every_byte_of_an_answer_longer_than_the_timeout(server):
    connection, head = server.begin("large.bin", receive_buffer=64 * 1024)
    began, received, pause = time.monotonic(), len(head.partition(b"\r\n\r\n")[2]), SIZE / 2.5 / SECONDS
    while received < SIZE:
        received += len(chunk := connection.recv(4 * 1024**2))
        assert chunk, f"the answer ended after {received} bytes"
        time.sleep(max(began + received / pause - time.monotonic(), 0))
    connection.close()
    assert received == SIZE
    assert time.monotonic() - began > 2 * SECONDS


@pytest.mark.parametrize("kind", ["reset", "truncate", "stall"])
def test_an_upstream_that_breaks_off_in_the_middle_is_not_noticed_by_the_browser(server, store, kind):
    store.faults = [Fault(kind, 700_000)]
    answer, body = server.get(f"/wire/{KEY}")
    assert (answer.status, body == WIRED) == (200, True)


@pytest.mark.parametrize(
    "faults", [[Fault("truncate", 700_000), Fault("", etag="v2")], [Fault("truncate", 700_000), Fault("status", status=403)]]
)
def test_an_upstream_that_cannot_be_read_on_never_looks_like_a_complete_answer(server, store, faults):
    store.faults = list(faults)
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        server.get(f"/wire/{KEY}")
    assert ends(store, 1)


@pytest.mark.parametrize(("fault", "asked"), [(Fault("stall", 700_000), 1), (Fault("stall"), 1), (Fault("silent"), 2)])
def test_a_browser_that_goes_away_while_the_upstream_stands_still_closes_the_upstream_within_a_second(
    patient, store, fault, asked
):
    store.faults, store.asked = [fault] * 9, []
    connection = patient.raw(f"wire/{KEY}")
    assert begins(store, 5)
    time.sleep(0.3)
    assert store.open == 1
    connection.close()
    time.sleep(1)
    assert (store.open, len(store.asked)) == (0, asked)  # nothing is opened again for nobody, but for one repeated request
    store.faults = []


def test_an_upstream_without_versions_that_breaks_off_never_looks_like_a_complete_answer(server):
    before = server.closed()
    connection = server.connect()
    connection.request("GET", "/breaking.bin")
    response = connection.getresponse()
    assert (response.status, response.getheader("Content-Length")) == (200, str(SIZE))
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)) as broken:
        response.read()
    if isinstance(broken.value, http.client.IncompleteRead):
        assert len(broken.value.partial) <= BREAKS_AT
    assert server.closes(before + 2)  # the one that broke off, and the one that was not taken for the same


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
