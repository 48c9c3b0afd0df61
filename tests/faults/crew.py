"""The workers: real ``manage.py rqworker`` processes that come back when they are killed, as under a supervisor."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
from redis import Redis
from redis.exceptions import RedisError

from tests.e2e.server import until

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(__file__).resolve().parent / "site"


class Crew:
    """``count`` workers on the queue at ``redis_url``; close it at the end."""

    def __init__(self, count: int, redis_url: str, database_url: str, directory: Path, lease: int) -> None:
        self.count, self.redis, self.log = count, Redis.from_url(redis_url), directory / "workers.log"
        own = {
            "REDIS_URL": redis_url,
            "DATABASE_URL": database_url,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "SYNC_LEASE_SECONDS": str(lease),
            "FAULTS_DIRECTORY": str(directory),
            "FAULTS_ROLE": "worker",
            "FAULTS_PARENT": str(os.getpid()),
            "PYTHONPATH": os.pathsep.join([str(SITE), str(ROOT)]),
            "LOG_LEVEL": "WARNING",
        }
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")} | own
        self.processes: list[subprocess.Popen] = []
        self.mend()
        self.await_ready()

    def mend(self) -> int:
        """Starts workers anew that died; how many."""
        alive = [process for process in self.processes if process.poll() is None]
        missing = self.count - len(alive)
        with self.log.open("a") as output:
            alive += [
                subprocess.Popen(
                    [sys.executable, "manage.py", "rqworker", "default", "low", "--verbosity", "0"],
                    cwd=ROOT,
                    env=self.env,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
                for _ in range(missing)
            ]
        self.processes = alive
        return missing

    def await_ready(self) -> None:
        """Returns when every worker listens. Raises AssertionError."""
        until(lambda: self.redis.scard("rq:workers") >= self.count, 60, f"{self.count} workers listen; see {self.log}")

    def horses(self) -> list[psutil.Process]:
        """The processes that run jobs at this moment."""
        found = []
        for process in self.processes:
            try:
                found += [child for child in psutil.Process(process.pid).children() if child.status() != psutil.STATUS_ZOMBIE]
            except psutil.NoSuchProcess:
                continue
        return found

    def kill(self, horse: psutil.Process, *, whole_worker: bool = False) -> None:
        """SIGKILL, for a job's process and if wanted for the worker that forked it."""
        try:
            if whole_worker:
                horse.parent().kill()
            horse.kill()
        except (psutil.NoSuchProcess, AttributeError):
            return  # it ended by itself in this moment

    def idle(self) -> bool:
        return not self.horses()

    def forget_dead_jobs(self) -> None:
        """Takes RQ's records of jobs that died out of the way, so that a test need not wait until they expire."""
        if self.horses():
            return
        try:
            if not any(self.redis.llen(f"rq:queue:{name}") for name in ("default", "low")):
                self.forget_jobs("rq:job:*")
        except RedisError:
            return

    def forget_jobs(self, pattern: str = "rq:*") -> None:
        """The queue holds nothing but its workers from now on."""
        for key in self.redis.scan_iter(pattern):
            if not key.startswith(b"rq:worker"):
                self.redis.delete(key)

    def renew(self) -> None:
        """New workers in place of all."""
        self.close()
        self.mend()
        self.await_ready()

    def close(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait(10)
