"""``manage.py up`` for real: a first run works, and whatever ends it or a part of it, nothing is left behind."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import psycopg
import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from config import valkey
from tests.config import jobs
from tests.config.processes import MARK, alive, survivors, wait_until
from tests.environment import free_port

ROOT = Path(__file__).parents[2]
DEMO = {"Demo: images": (4, "completed"), "Demo: sounds": (1, "completed"), "Demo: texts": (6, "completed")}
SLOW = 180  # seconds a start may take on a machine that runs other tests meanwhile


@dataclass
class Up:
    """A running ``manage.py up``."""

    process: subprocess.Popen
    mark: str
    port: int
    data_dir: Path
    log: Path

    def output(self) -> str:
        return self.log.read_text()

    def ready(self) -> "Up":
        wait_until(lambda: "token:" in self.output() or self.process.poll() is not None, SLOW, "the service is ready")
        assert self.process.poll() is None, self.output()
        return self

    def ended(self) -> str:
        """Its output, once it and all its children are gone."""
        self.process.wait(SLOW)
        assert survivors(self.mark, 0) == {}
        return self.output()

    def pids(self, words: str) -> set[int]:
        return {pid for pid, line in alive(self.mark).items() if words in line}

    def get(self, path: str) -> dict | list:
        token = re.search(r"^token: +(\S+)", self.output(), re.M)[1]
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"Authorization": f"Token {token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def run_job(self, note: Path) -> int:
        """Has one of its workers run an endless job; the process id of the job."""
        queue = Queue("low", connection=Redis.from_url(valkey.remembered_url(self.data_dir)), serializer=JSONSerializer)
        note.unlink(missing_ok=True)
        queue.enqueue(jobs.sleep, str(note))
        wait_until(lambda: note.exists() and note.read_text(), 60, "the job runs")
        return int(note.read_text())


class Place(NamedTuple):
    """Where a service keeps its state."""

    data_dir: Path
    database_url: str

    def env(self) -> dict[str, str]:
        """The environment of a small service that finds nothing but this place."""
        inherited = {name: value for name, value in os.environ.items() if "LOCAL_FILES" not in name and name != "REDIS_URL"}
        place = {"DATA_DIR": str(self.data_dir), "DATABASE_URL": self.database_url}
        return {**inherited, **place, "WORKERS": "1", "WEB_WORKERS": "1"}


def new_place(directory: Path) -> Place:
    """An empty directory, and a database of its own if the suite runs on PostgreSQL."""
    url, name = os.environ.get("DATABASE_URL", ""), f"up_{uuid.uuid4().hex}"
    if url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        url = urlsplit(url)._replace(path=f"/{name}").geturl()
    return Place(directory, url)


@pytest.fixture
def empty(tmp_path: Path) -> Place:
    return new_place(tmp_path / "data")


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place that has seen a run before; it had no demo, and no project was made since."""
    place = new_place(tmp_path_factory.mktemp("known"))
    subprocess.run(
        [sys.executable, "manage.py", "setup"], cwd=ROOT, env=place.env(), check=True, timeout=SLOW, stdout=subprocess.DEVNULL
    )
    return place


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def run(place: Place, *arguments: str, port: int = 0, parent: tuple[str, ...] = (), **env: str) -> Up:
        mark, port, log = uuid.uuid4().hex, port or free_port(), tmp_path / f"{len(started)}.log"
        command = [*parent, sys.executable, "manage.py", "up", *arguments]
        with log.open("w") as output:
            environment = {**place.env(), "PORT": str(port), **env, MARK: mark}
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        started.append(Up(process, mark, port, place.data_dir, log))
        return started[-1]

    yield run
    for up in started:
        for pid in alive(up.mark):
            os.kill(pid, signal.SIGKILL)
        up.process.wait()


def demo_of(up: Up) -> dict[str, tuple[int, str]]:
    """Tasks and state of the last sync of every project, by title."""
    states = {
        storage["project"]: storage["status"] for number in (1, 2, 3) for storage in up.get(f"/api/storages/?project={number}")
    }
    return {p["title"]: (p["task_number"], states.get(p["id"], "")) for p in up.get("/api/projects/")["results"]}


def parent_of(pid: int) -> int:
    return int(re.search(r"^PPid:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M)[1])


def test_a_first_run_serves_a_demo_and_sigterm_ends_everything(start: Callable[..., Up], empty: Place) -> None:
    up = start(empty).ready()
    assert "e-mail:   admin@localhost" in up.output() and re.search(r"^password: \S{12,}", up.output(), re.M)
    wait_until(lambda: demo_of(up) == DEMO, 60, "the demo is imported")
    assert all(up.pids(words) for words in ("gunicorn", "rqworker", "scheduler", "valkey-server"))

    second = start(empty)
    assert second.process.wait(SLOW) == 1
    assert "another `manage.py up` works in" in second.output()

    up.process.terminate()
    assert up.process.wait(10) == 0
    assert up.ended().endswith("SIGTERM: stopping\nstopped\n")


def test_the_next_run_tells_no_password_and_makes_no_demo_and_sigint_ends_everything(
    start: Callable[..., Up], known: Place
) -> None:
    up = start(known, LABEL_STUDIO_PASSWORD="another-pass-1", LABEL_STUDIO_USER_TOKEN="a" * 40).ready()
    assert "password:" not in up.output()
    assert "a" * 40 not in up.output()  # the account's token stays what it is
    assert up.get("/api/projects/")["count"] == 0  # a demo that is gone stays gone
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(10) == 0
    assert up.ended().endswith("SIGINT: stopping\nstopped\n")


def test_what_is_killed_is_replaced_and_a_killed_parent_leaves_nobody(
    start: Callable[..., Up], known: Place, tmp_path: Path
) -> None:
    up = start(known).ready()
    job = up.run_job(tmp_path / "pid")
    worker = parent_of(job)
    assert worker in up.pids("rqworker")  # another one is RQ's scheduler
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not {worker, job} & set(alive(up.mark)), 5, "worker and job are gone")
    job = up.run_job(tmp_path / "pid")  # a new worker takes it
    assert "worker-1 was killed by SIGKILL; starting again in 0.5 s" in up.output()

    for words in ("gunicorn", "scheduler", "valkey-server"):
        old = up.pids(words)
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda words=words, old=old: up.pids(words) - old, 30, f"a new {words} runs")

    up.process.kill()
    up.process.wait()
    assert survivors(up.mark, 5) == {}


def test_make_may_be_killed_too(start: Callable[..., Up], known: Place) -> None:
    shell = ("sh", "-c", '"$@"; true', "sh")  # stays between us and the service, as make does
    up = start(known, "--with-parent", parent=shell).ready()
    up.process.kill()
    assert survivors(up.mark, 10) == {}


def test_a_port_that_is_taken_is_refused_before_anything_starts(start: Callable[..., Up], empty: Place) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        up = start(empty, port=port)
        assert up.process.wait(SLOW) == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use. Set PORT" in up.ended()


def test_a_first_user_that_cannot_be_made_stops_the_start(start: Callable[..., Up], empty: Place) -> None:
    up = start(empty, LABEL_STUDIO_USERNAME="not an address")
    assert up.process.wait(SLOW) == 1
    assert "'not an address' is not an email address" in up.ended()
    assert "`manage.py setup` ended with status 1" in up.ended()


def test_a_database_that_is_away_is_named_without_a_traceback(start: Callable[..., Up], empty: Place) -> None:
    up = start(empty, DATABASE_URL=f"postgres://quayside:a-secret@127.0.0.1:{free_port()}/quayside")
    assert up.process.wait(SLOW) == 1
    said = up.ended()
    assert "the database cannot be used" in said and "refused" in said
    assert "Traceback" not in said and "a-secret" not in said
