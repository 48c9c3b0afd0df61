"""Clients that send GET requests at once over connections that stay open, cheap to run; knows no case."""

import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException

from tests.benchmarks.api import HEADERS, Unexpected
from tests.benchmarks.measure import MIB, Usage
from tests.benchmarks.server import Server

TIMEOUT = 60  # seconds a single read may take


@dataclass(frozen=True)
class Get:
    """One request and the status it must be answered with."""

    path: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Load:
    """What a number of clients saw; seconds, bytes."""

    clients: int
    requests: int = 0
    received: int = 0
    first_byte: list[float] = field(default_factory=list)
    total: list[float] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    fault: Exception | None = None

    @property
    def rate(self) -> float:
        return self.requests / self.usage.wall

    @property
    def mib_per_second(self) -> float:
        return self.received / MIB / self.usage.wall

    @staticmethod
    def p50(seconds: Sequence[float]) -> float:
        """The median in milliseconds."""
        return statistics.median(seconds) * 1000


def run(server: Server, requests: Sequence[Get], clients: int, url: str = "") -> Load:
    """Sends every request once, each by the next client that is free; to ``url`` if that is not the server's.

    Raises Unexpected for a status that was not foreseen.
    """
    load, todo, lock = Load(clients), iter(requests), threading.Lock()

    def client() -> None:
        connection = HTTPConnection((url or server.url).removeprefix("http://"), timeout=TIMEOUT)
        buffer = memoryview(bytearray(MIB))
        try:
            while load.fault is None:
                with lock:
                    request = next(todo, None)
                if request is None:
                    return
                seen = _send(connection, request, buffer)
                with lock:
                    _add(load, *seen)
        except (OSError, HTTPException, Unexpected) as error:
            load.fault = error
        finally:
            connection.close()

    threads = [threading.Thread(target=client, daemon=True) for _ in range(clients)]
    with server.meter() as meter:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if load.fault is not None:
        raise Unexpected(f"{requests[0].path}: {load.fault}") from load.fault
    load.usage = meter.usage
    return load


def _send(connection: HTTPConnection, request: Get, buffer: memoryview) -> tuple[int, float, float]:
    """(bytes of the body, seconds to the first of them, seconds to the last)."""
    started = time.monotonic()
    connection.request("GET", request.path, headers=HEADERS | request.headers)
    answer = connection.getresponse()
    received = len(answer.read1(1 << 16)) if answer.length else 0  # one recv: readinto would wait for a full buffer
    first = time.monotonic() - started
    while count := answer.readinto(buffer):
        received += count
    if answer.status != request.status:
        raise Unexpected(f"status {answer.status} instead of {request.status}: {bytes(buffer[:200])!r}")
    return received, first, time.monotonic() - started


def _add(load: Load, received: int, first: float, total: float) -> None:
    load.requests += 1
    load.received += received
    load.first_byte.append(first)
    load.total.append(total)
