"""nginx with the shipped configuration in front of the server under benchmark, to carry the bytes of media."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from tests.benchmarks.server import Server
from tests.e2e.nginx.front import fronting


@contextmanager
def fronted(server: Server) -> Iterator[str]:
    """The URL of nginx."""
    with tempfile.TemporaryDirectory(prefix="quayside-nginx-") as home, fronting(urlsplit(server.url).port, Path(home)) as url:
        yield url


def cpu() -> float:
    """CPU seconds that nginx has used so far."""
    times = [one.cpu_times() for one in psutil.Process().children() if one.name() == "nginx"]
    return sum(one.user + one.system for one in times)
