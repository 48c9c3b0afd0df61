"""A hundred open pages that follow a run: what a look costs the real server, and what others notice of them."""

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any

import psutil
import pytest
import urllib3

from tests.e2e.server import RunningServer, running, until

PAGES, SECONDS = 100, 5  # each page asks once a second, as ``poll_after_ms`` says
MOST_CPU = 0.015  # seconds a look: 100 pages would take both cores of a small machine only at twice of it
MOST_WAIT = 0.5  # seconds that half of the other requests take at most; starved ones would wait for all pages


@pytest.fixture(params=["sqlite", "postgres"], scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One that keeps its database connections, as it does by default; those of other tests do not."""
    directory = tmp_path_factory.mktemp("polled")
    directory.chmod(0o755)
    directory.parent.chmod(0o755)  # PostgreSQL runs as a user of its own
    with running(directory, request.param, CONN_MAX_AGE="600") as service:
        yield service


@pytest.fixture
def run(server: RunningServer) -> str:
    """The path of a run that has come to its end."""
    folder = server.files / f"polled-{time.monotonic_ns()}"
    folder.mkdir()
    (folder / "a.txt").write_text("a")

    def post(route: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Token {server.token}"}
        return urllib3.request("POST", server.url + route, json=body, headers=headers).json()

    project = post("/api/projects/", {"title": "Followed"})["id"]
    source = post("/api/storages/localfiles/", {"project": project, "path": str(folder), "use_blob_urls": True})["id"]
    path = f"/api/storages/localfiles/{source}/runs/{post(f'/api/storages/localfiles/{source}/sync', {})['last_run']}"
    until(lambda: server.get(path).json()["state"] == "completed", 30, "the sync has ended")
    return path


def cpu(server: RunningServer) -> float:
    """Seconds that the web processes have used so far."""
    times = [process.cpu_times() for process in server.processes("gunicorn")]
    return sum(one.user + one.system for one in times)


def page(server: RunningServer, path: str, delay: float, headers: dict[str, str], seen: list[int]) -> None:
    """Asks once a second over a connection that stays open."""
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=30)
    start = time.monotonic() + delay
    for second in range(SECONDS):
        time.sleep(max(start + second - time.monotonic(), 0))
        connection.request("GET", path, headers={"Authorization": f"Token {server.token}", **headers})
        answer = connection.getresponse()
        answer.read()
        seen.append(answer.status)
    connection.close()


def waits(server: RunningServer, busy: Callable[[], bool]) -> list[float]:
    """How long requests for the version took, one after another, while it is ``busy``."""
    connection, seen = HTTPConnection(server.url.removeprefix("http://"), timeout=30), []
    while busy():
        begun = time.monotonic()
        connection.request("GET", "/api/version/")
        assert connection.getresponse().read()
        seen.append(time.monotonic() - begun)
        time.sleep(0.03)
    connection.close()
    return seen


@pytest.mark.parametrize("known", [False, True], ids=["everything new", "nothing new"])
def test_a_hundred_pages_cost_little_and_starve_nobody(server: RunningServer, run: str, known: bool) -> None:
    headers = {"If-None-Match": server.get(run).headers["ETag"]} if known else {}
    seen: list[int] = []
    before, begun = cpu(server), time.monotonic()
    pages = [threading.Thread(target=page, args=(server, run, n / PAGES, headers, seen)) for n in range(PAGES)]
    for one in pages:
        one.start()
    others = waits(server, lambda: any(one.is_alive() for one in pages))
    each, wait = (cpu(server) - before) / (len(seen) + len(others)), statistics.median(others)
    print(f"{PAGES} pages, {len(seen)} looks in {time.monotonic() - begun:.1f} s: {each * 1000:.1f} ms of CPU each,")
    late = statistics.quantiles(others, n=20)[-1]
    print(f"{len(others)} other requests: p50 {wait * 1000:.0f} ms, p95 {late * 1000:.0f} ms; load {psutil.getloadavg()[0]:.1f}")
    assert seen == [304 if known else 200] * PAGES * SECONDS
    assert each < MOST_CPU and wait < MOST_WAIT
