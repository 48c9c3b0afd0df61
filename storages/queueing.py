"""Puts jobs into the queue without ever making the caller wait for a queue that is away; knows no job."""

import logging
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import lru_cache

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.registry import ScheduledJobRegistry
from rq.serializers import JSONSerializer

log = logging.getLogger(__name__)
CONNECT, ANSWER = 0.5, 2  # seconds; redis-py's own defaults retry a dead server for 4 s (protocols.md §5)
AT_ONCE = 1000  # jobs per round trip
KEPT = {"result_ttl": 0, "failure_ttl": 60}  # seconds that RQ remembers a job that is over


@lru_cache(maxsize=4)
def _connection(url: str) -> Redis:
    return Redis.from_url(url, socket_connect_timeout=CONNECT, socket_timeout=ANSWER, retry=Retry(NoBackoff(), 0))


def _queue(name: str) -> Queue:
    return Queue(name, connection=_connection(settings.RQ_QUEUES[name]["URL"]), serializer=JSONSerializer)


def enqueue(queue: str, job: str, pk: int, job_id: str) -> bool:
    """Queues ``job`` (a dotted name) with one id as its argument, unless ``job_id`` is queued or running already.

    False if the queue is away; the scheduler's round will find the work again in the database.
    """
    timeout = settings.RQ_QUEUES[queue]["DEFAULT_TIMEOUT"]
    try:
        _queue(queue).enqueue_call(job, args=(pk,), job_id=job_id, unique=True, timeout=timeout, **KEPT)
    except DuplicateJobError:
        return True
    except RedisError as error:
        log.warning("the queue is away, %s %s waits for the scheduler: %s", job, pk, type(error).__name__)
        return False
    return True


def enqueue_at(queue: str, job: str, times: Mapping[str, tuple[int, datetime]]) -> bool:
    """Hands jobs to RQ's scheduler: job id → (the id that is the argument, when to queue it); replaces those it has.

    One round trip for a thousand. False if the queue is away.
    """
    target, waiting = _queue(queue), list(times.items())
    timeout = settings.RQ_QUEUES[queue]["DEFAULT_TIMEOUT"]
    try:
        for first in range(0, len(waiting), AT_ONCE):
            with target.connection.pipeline() as pipe:
                for job_id, (pk, when) in waiting[first : first + AT_ONCE]:
                    target.enqueue_at(when, job, args=(pk,), job_id=job_id, job_timeout=timeout, pipeline=pipe, **KEPT)
                pipe.execute()
    except RedisError as error:
        log.warning("the queue is away, %s jobs %s are not scheduled: %s", len(waiting), job, type(error).__name__)
        return False
    return True


def unscheduled(queue: str, job_ids: Collection[str]) -> set[str]:
    """Those of ``job_ids`` that RQ's scheduler does not hold (any more), in one round trip; none if the queue is away."""
    target, wanted = _queue(queue), list(job_ids)
    key = ScheduledJobRegistry(queue=target).key
    try:
        with target.connection.pipeline(transaction=False) as pipe:
            for job_id in wanted:
                pipe.zscore(key, job_id)
            scores = pipe.execute()
    except RedisError as error:
        log.warning("the queue is away, its schedule cannot be looked at: %s", type(error).__name__)
        return set()
    return {job_id for job_id, score in zip(wanted, scores, strict=True) if score is None}


def is_there() -> bool:
    """Whether jobs can be handed to workers now. One round trip."""
    return bool(unscheduled("low", ["any"]))
