"""The RQ worker: jobs in JSON, and processes of its job and its scheduler that never outlive it; knows no job.

A running job is killed at a stop, not awaited: it may need hours, and jobs are resumable after a kill anyway.
"""

import logging
import os
import signal
import time
from types import FrameType
from typing import Any

import rq
from redis.exceptions import RedisError
from rq.job import Job
from rq.queue import Queue
from rq.scheduler import RQScheduler
from rq.serializers import JSONSerializer

from config.supervisor import die_with_parent

log = logging.getLogger(__name__)


class Scheduler(RQScheduler):
    """The process that queues scheduled jobs at their time; of several workers' one at a time holds RQ's lock and works."""

    pause = 2.0  # seconds until a queue that is away is tried again

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.worker_pid = os.getpid()

    def work(self) -> None:
        """RQ's loop in the forked process. Told to stop when its worker is killed, it gives the lock back at once."""
        self._install_signal_handlers()
        die_with_parent(self.worker_pid, signal.SIGTERM)
        while not self._stop_requested:
            try:
                super().work()
            except RedisError as error:  # RQ's own would end, and be missed for ten minutes
                log.warning("the queue is away, scheduled jobs wait: %s", type(error).__name__)
                time.sleep(self.pause)


class Worker(rq.Worker):
    """Used through RQ["WORKER_CLASS"], so that a plain ``manage.py rqworker default low --with-scheduler`` is right."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "serializer": JSONSerializer})

    def _start_scheduler(self, burst: bool = False, logging_level: str | None = "INFO", *formats: str) -> None:
        """RQ's hook of ``with_scheduler``: its own scheduler, made to outlive the queue and not the worker."""
        if burst:
            return super()._start_scheduler(burst, logging_level, *formats)
        self.scheduler = Scheduler(
            self.queues, connection=self.connection, logging_level=logging_level or self.log.level, serializer=JSONSerializer
        )
        self.scheduler.acquire_locks(auto_start=True)

    def run_maintenance_tasks(self) -> None:
        """RQ's round of tidying every ten minutes, the first at the start; a queue that is away then must not end the worker."""
        try:
            super().run_maintenance_tasks()
        except RedisError as error:
            self.log.warning("the queue is away, it is tidied later: %s", type(error).__name__)

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        """RQ's entry point of the forked process that runs one job."""
        die_with_parent(self.pid)
        super().main_work_horse(job, queue)

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """RQ's handler of SIGTERM and SIGINT: stop taking jobs, and end the one that runs."""
        try:
            super().request_stop(signum, frame)
        finally:
            if self.horse_pid:
                try:
                    os.kill(self.horse_pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass  # ended by itself in this moment
