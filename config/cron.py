"""The scheduler process: calls one function every few seconds, by itself and not as a job.

RQ's own cron (rq 3.0, ``manage.py rqcron``) does not fit: it queues pickled jobs whatever the queue's serializer is,
and one more at each interval whether or not the last was taken, so long syncs would bury the queue in ticks. Run
here, dead runs are noticed even while every worker is busy.
"""

import logging
import signal
import sys
import time
from collections.abc import Callable

from django.db import DatabaseError, InterfaceError, close_old_connections
from redis.exceptions import RedisError

from config.env import env_int

log = logging.getLogger(__name__)
SECONDS = env_int("TICK_SECONDS", 5, minimum=1, maximum=60)


def run(tick: Callable[[], object]) -> None:
    """Calls ``tick`` every SECONDS seconds until SIGTERM; a database or queue that is away is tried again next time."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        started = time.monotonic()
        close_old_connections()
        try:
            tick()
        except (DatabaseError, InterfaceError, RedisError) as error:
            log.warning("the scheduler's round failed, next one in %s s: %s", SECONDS, error)
        time.sleep(max(SECONDS - (time.monotonic() - started), 0.0))
