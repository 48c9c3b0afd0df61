"""RQ workers as real processes: a job's process never outlives its worker, and jobs travel as JSON."""

import json
import os
import signal
import subprocess
import sys
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from tests.config import jobs
from tests.config.processes import MARK, alive, survivors, wait_until

ROOT = Path(__file__).parents[2]
WORK = """
import os, sys
from redis import Redis
from config.worker import Worker
Worker(sys.argv[1:], connection=Redis.from_url(os.environ["REDIS_URL"])).work(logging_level="WARNING")
"""


class Running(NamedTuple):
    """A worker process, the queue it listens to, and the marker of all its descendants."""

    process: subprocess.Popen
    queue: Queue
    mark: str


@pytest.fixture
def worker() -> Iterator[Running]:
    mark = uuid.uuid4().hex
    queue = Queue(mark, connection=Redis.from_url(os.environ["REDIS_URL"]), serializer=JSONSerializer)
    process = subprocess.Popen([sys.executable, "-c", WORK, mark], cwd=ROOT, env={**os.environ, MARK: mark})
    yield Running(process, queue, mark)
    for pid in alive(mark):
        os.kill(pid, signal.SIGKILL)
    process.wait()


def busy(worker: Running, note: Path) -> int:
    """Gives the worker an endless job; the process id of its horse."""
    worker.queue.enqueue(jobs.sleep, str(note))
    wait_until(lambda: note.exists() and note.read_text(), 15, "the job runs")
    horse = int(note.read_text())
    assert horse != worker.process.pid and horse in alive(worker.mark)
    return horse


def test_a_killed_worker_takes_the_process_of_its_job_along(worker: Running, tmp_path: Path) -> None:
    busy(worker, tmp_path / "pid")
    worker.process.kill()
    worker.process.wait()
    assert survivors(worker.mark, 2) == {}


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_worker_ends_its_job_at_once(worker: Running, tmp_path: Path, sig: signal.Signals) -> None:
    busy(worker, tmp_path / "pid")
    worker.process.send_signal(sig)
    worker.process.wait(5)
    assert survivors(worker.mark, 0) == {}


def test_an_idle_worker_stops_at_once(worker: Running, tmp_path: Path) -> None:
    worker.queue.enqueue(jobs.touch, str(tmp_path / "done"))
    wait_until((tmp_path / "done").exists, 15, "the worker works")
    worker.process.terminate()
    assert worker.process.wait(5) == 0


def test_a_job_whose_process_was_killed_fails_and_the_next_one_runs(worker: Running, tmp_path: Path) -> None:
    horse = busy(worker, tmp_path / "pid")
    worker.queue.enqueue(jobs.touch, str(tmp_path / "done"))
    os.kill(horse, signal.SIGKILL)
    wait_until((tmp_path / "done").exists, 15, "the worker goes on")


def test_jobs_are_json_on_both_sides(worker: Running, tmp_path: Path) -> None:
    job = worker.queue.enqueue(jobs.touch, str(tmp_path / "done"))
    payload = worker.queue.connection.hget(job.key, "data")
    assert str(tmp_path / "done") in json.dumps(json.loads(zlib.decompress(payload)))
    wait_until((tmp_path / "done").exists, 15, "the worker reads JSON")
