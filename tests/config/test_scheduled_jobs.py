"""RQ's scheduler beside real workers and a real Redis: jobs in JSON run at their time, once, and no process outlives its worker."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from redis import Redis
from rq import Queue
from rq.registry import ScheduledJobRegistry
from rq.scheduler import RQScheduler
from rq.serializers import JSONSerializer

from tests.config import jobs
from tests.config.processes import MARK, alive, survivors, wait_until
from tests.environment import start_redis, wait_for_port

ROOT = Path(__file__).parents[2]
WORK = """
import os, sys
from redis import Redis
from config.worker import Worker
worker = Worker(sys.argv[1:2], connection=Redis.from_url(os.environ["REDIS_URL"]))
worker.work(logging_level="WARNING", with_scheduler=True, burst=sys.argv[2:] == ["burst"])
"""
SOON = timedelta(seconds=1)


class Place(NamedTuple):
    """A Redis of our own, and how to start workers on it; ``url`` stays when the server is replaced."""

    server: list[subprocess.Popen]
    url: str
    mark: str

    def queue(self, name: str = "") -> Queue:
        return Queue(name or self.mark, connection=Redis.from_url(self.url), serializer=JSONSerializer)

    def schedule(self, note: Path, queue: str = "", after: timedelta = SOON) -> None:
        self.queue(queue).enqueue_at(datetime.now(UTC) + after, jobs.append, args=(str(note),))

    def start(self, *command: str) -> subprocess.Popen:
        command = command or ("-c", WORK, self.mark)
        env = {**os.environ, MARK: self.mark, "REDIS_URL": self.url}
        return subprocess.Popen([sys.executable, *command], cwd=ROOT, env=env, stdout=subprocess.DEVNULL)

    def scheduler(self) -> bytes | None:
        """The name of the scheduler that holds the lock."""
        return self.queue().connection.get(RQScheduler.get_locking_key(self.mark))


@pytest.fixture(scope="module")
def redis() -> Iterator[tuple[list[subprocess.Popen], str]]:
    process, url = start_redis()
    servers = [process]
    yield servers, url
    servers[-1].kill()
    servers[-1].wait()


@pytest.fixture
def place(redis: tuple[list[subprocess.Popen], str]) -> Iterator[Place]:
    made = Place(*redis, uuid.uuid4().hex)
    yield made
    for pid in alive(made.mark):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def working(place: Place) -> subprocess.Popen:
    """A worker whose scheduler works."""
    worker = place.start()
    wait_until(lambda: place.scheduler() and len(alive(place.mark)) == 2, 15, "worker and scheduler run")
    return worker


def ran(note: Path) -> Callable[[], bool]:
    return lambda: note.exists() and note.stat().st_size > 0


def test_the_documented_command_runs_scheduled_jobs(place: Place, tmp_path: Path) -> None:
    place.start("manage.py", "rqworker", "default", "low", "--with-scheduler", "--verbosity", "0")
    place.schedule(tmp_path / "note", queue="default")
    wait_until(ran(tmp_path / "note"), 30, "the job runs")


def test_a_job_runs_at_its_time_and_once_with_several_workers(place: Place, tmp_path: Path, working) -> None:
    place.start()
    due = time.time() + 2
    place.schedule(tmp_path / "note", after=timedelta(seconds=2))
    wait_until(ran(tmp_path / "note"), 10, "the job runs")
    times = [float(line) for line in (tmp_path / "note").read_text().split()]
    assert len(times) == 1 and -1 <= times[0] - due < 3
    assert ScheduledJobRegistry(queue=place.queue()).count == 0
    wait_until(lambda: place.queue().connection.exists(f"rq:workers:{place.mark}"), 5, "a worker is known")
    wait_until(lambda: place.queue().connection.scard(f"rq:workers:{place.mark}") == 2, 15, "both workers run")
    wait_until(lambda: len(alive(place.mark)) == 3, 5, "two workers and one scheduler run")


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL])
def test_a_scheduler_ends_with_its_worker_and_leaves_the_lock_to_the_next(place: Place, tmp_path: Path, working, sig) -> None:
    working.send_signal(sig)
    working.wait(5)
    assert survivors(place.mark, 0 if sig == signal.SIGTERM else 3) == {}
    assert place.scheduler() is None
    place.start()
    place.schedule(tmp_path / "note")
    wait_until(ran(tmp_path / "note"), 15, "another worker takes over")


def test_a_stop_ends_a_running_job_and_the_scheduler_at_once(place: Place, tmp_path: Path, working) -> None:
    place.queue().enqueue(jobs.sleep, str(tmp_path / "pid"))
    wait_until(ran(tmp_path / "pid"), 15, "the job runs")
    working.terminate()
    working.wait(5)
    assert survivors(place.mark, 0) == {}


def test_a_redis_that_comes_back_empty_is_served_again(place: Place, tmp_path: Path, working) -> None:
    old = place.server[-1]
    old.kill()
    old.wait()
    time.sleep(1.2)  # longer than the scheduler's interval: it has noticed
    place.server.append(subprocess.Popen(old.args, stdout=subprocess.DEVNULL))
    wait_for_port(int(place.url.rpartition(":")[2].partition("/")[0]), place.server[-1])
    place.schedule(tmp_path / "note")
    wait_until(ran(tmp_path / "note"), 30, "the job runs")
    wait_until(lambda: len(alive(place.mark)) == 2, 5, "worker and scheduler are what they were")


def test_a_worker_in_burst_mode_runs_what_is_due_and_ends(place: Place, tmp_path: Path) -> None:
    place.schedule(tmp_path / "note", after=timedelta(seconds=-2))
    worker = place.start("-c", WORK, place.mark, "burst")
    assert worker.wait(20) == 0 and ran(tmp_path / "note")()
    assert place.scheduler() is None
