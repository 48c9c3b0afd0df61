"""The RQ worker: jobs in JSON, and a job's process that never outlives its worker; knows no job.

A running job is killed at a stop, not awaited: it may need hours, and jobs are resumable after a kill anyway.
"""

import os
import signal
from types import FrameType
from typing import Any

import rq
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer

from config.supervisor import die_with_parent


class Worker(rq.Worker):
    """Used through RQ["WORKER_CLASS"], so that a plain ``manage.py rqworker default low`` is right."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "serializer": JSONSerializer})

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
