"""Starts the syncs of storages that have a schedule, through RQ's own scheduler; knows no job but by name.

The column ``next_sync`` is the truth. What RQ holds is a wake-up call: a call that is lost is made again, one that comes
twice, too early or for a schedule that was changed finds nothing due.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import models, transaction
from django.utils import timezone

from storages import queueing
from storages.errors import ConfigInvalid
from storages.fields import secret_names
from storages.timetable import check, next_time

__all__ = ["Scheduled", "check", "ensure", "fire", "next_time", "plan_next", "schedule", "settings_of"]
Result = TypeVar("Result")
log = logging.getLogger(__name__)
QUEUE = "default"  # a call takes milliseconds and should not wait behind the syncs of the queue "low"
HORIZON = timedelta(hours=1)  # how far ahead lost calls are looked for
GRACE = timedelta(minutes=1)  # overdue by more than this: RQ's scheduler or all workers are away or busy


class Scheduled(models.Model):
    """Columns of every storage."""

    sync_schedule = models.CharField(
        "Sync schedule", max_length=128, default="", blank=True,
        help_text='An interval such as "every 15 minutes", or a cron expression such as "0 3 * * *"; empty: only by hand',
    )  # fmt: skip
    sync_timezone = models.CharField(
        "Time zone of the schedule", max_length=64, default="UTC", help_text="An IANA name such as Europe/Berlin"
    )
    next_sync = models.DateTimeField(null=True, default=None, editable=False, help_text="When the schedule starts the next sync")

    class Meta:
        abstract = True


def settings_of(storage: Any) -> tuple[str, str, bool]:
    """What ``next_sync`` depends on; when it differs after a save, ``plan_next`` is to be called."""
    return storage.sync_schedule, storage.sync_timezone, storage.synchronizable


def plan_next(storage: Any) -> None:
    """Sets ``next_sync`` of a storage whose schedule was set, changed or cleared, and hands the next sync to RQ's scheduler.

    An interval counts from now. Raises ConfigInvalid as ``check`` does.
    """
    wanted = storage.sync_schedule if storage.synchronizable else ""
    time = next_time(wanted, storage.sync_timezone, timezone.now(), storage.pk) if wanted else None
    _parent(storage).objects.filter(pk=storage.pk).update(next_sync=time)
    storage.next_sync = time
    transaction.on_commit(lambda: schedule(storage))


def schedule(storage: Any) -> bool:
    """Puts the storage's next sync, if it has one, into RQ's registry of scheduled jobs; False if the queue is away."""
    if storage.next_sync is None:
        return True
    model = _parent(storage)
    return queueing.enqueue_at(
        QUEUE, _job(model), {_job_id(model, storage.pk, storage.next_sync): (storage.pk, storage.next_sync)}
    )


def ensure(model: type[models.Model], now: datetime) -> list[int]:
    """Makes lost wake-up calls of the next hour again; the ids of storages (of ImportStorage or ExportStorage) to fire now.

    Those are overdue by more than a minute: every round of the scheduler fires them itself, whoever failed to. One query;
    one round trip to the queue if anything is due within the hour, a second one (per thousand) if calls were lost.
    """
    near = model.objects.filter(synchronizable=True, next_sync__lte=now + HORIZON)
    due = list(near.order_by("next_sync").values_list("pk", "next_sync"))
    calls = {_job_id(model, pk, time): (pk, time) for pk, time in due if time > now}
    if calls and (lost := queueing.unscheduled(QUEUE, calls)):
        queueing.enqueue_at(QUEUE, _job(model), {job_id: calls[job_id] for job_id in calls if job_id in lost})
    return [pk for pk, time in due if time < now - GRACE]


def fire(model: type[models.Model], pk: int, start: Callable[[Any], Result | None]) -> Result | None:
    """Starts the scheduled sync of a storage if one is due, once however often it is called, and plans the next one.

    ``start`` queues a run, or returns None while another one is queued or running: this occurrence is skipped then. So are
    all but one of those that passed while the service was down. Claim and run are one transaction: a worker that dies in
    between leaves the occurrence due.
    """
    now = timezone.now()
    with transaction.atomic():
        due = model.objects.filter(pk=pk, synchronizable=True, next_sync__lte=now)
        storage = due.defer(*secret_names(model)).first()  # a secret that cannot be read is for the run to report
        if storage is None or not _claim(storage, now):
            return None
        run = start(storage)
    if run is None:
        log.info("scheduled sync of %s skipped: the one before has not ended", storage)
    return run


def _claim(storage: Any, now: datetime) -> bool:
    """Moves ``next_sync`` on; False if another call did."""
    occurrence = storage.next_sync
    try:
        following = next_time(storage.sync_schedule, storage.sync_timezone, now, storage.pk, previous=occurrence)
    except ConfigInvalid as error:
        log.warning("%s has no next sync: %s", storage, error)
        following = None
    if not _parent(storage).objects.filter(pk=storage.pk, next_sync=occurrence).update(next_sync=following):
        return False
    storage.next_sync = following
    transaction.on_commit(lambda: schedule(storage))
    return True


def _parent(storage: Any) -> type[models.Model]:
    """ImportStorage or ExportStorage, whose table has the column, whatever the backend."""
    return type(storage)._meta.get_field("next_sync").model


def _direction(model: type[models.Model]) -> str:
    return str(model._meta.model_name).removesuffix("storage")


def _job(model: type[models.Model]) -> str:
    return f"storages.jobs.scheduled_{_direction(model)}"


def _job_id(model: type[models.Model], pk: int, time: datetime) -> str:
    return f"schedule-{_direction(model)}-{pk}-{time.timestamp():.0f}"
