"""Puts jobs into the queue without ever making the caller wait for a queue that is away; knows no job."""

import logging
from functools import lru_cache

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.serializers import JSONSerializer

log = logging.getLogger(__name__)
CONNECT, ANSWER = 0.5, 2  # seconds; redis-py's own defaults retry a dead server for 4 s (protocols.md §5)


@lru_cache(maxsize=4)
def _connection(url: str) -> Redis:
    return Redis.from_url(url, socket_connect_timeout=CONNECT, socket_timeout=ANSWER, retry=Retry(NoBackoff(), 0))


def enqueue(queue: str, job: str, pk: int, job_id: str) -> bool:
    """Queues ``job`` (a dotted name) with one id as its argument, unless ``job_id`` is queued or running already.

    False if the queue is away; the scheduler's round will find the work again in the database.
    """
    options = settings.RQ_QUEUES[queue]
    target = Queue(queue, connection=_connection(options["URL"]), serializer=JSONSerializer)
    try:
        target.enqueue_call(
            job, args=(pk,), job_id=job_id, unique=True, timeout=options["DEFAULT_TIMEOUT"], result_ttl=0, failure_ttl=60
        )
    except DuplicateJobError:
        return True
    except RedisError as error:
        log.warning("the queue is away, %s %s waits for the scheduler: %s", job, pk, type(error).__name__)
        return False
    return True
