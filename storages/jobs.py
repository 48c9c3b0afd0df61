"""Where work starts and ends: syncs and deliveries as RQ jobs that carry ids only, and the scheduler's round.

The one place that may catch everything: whatever a job dies of becomes the run's message, the details stay in the log.
"""

import logging
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from config.crypto import DecryptionFailed
from storages import closing, exporting, importing, outbox, schedules, shards, status, webhooks
from storages.alive import kept_alive
from storages.base import ExportStorage, ImportStorage, Storage
from storages.errors import StorageError
from storages.fields import secret_names
from storages.links import OutboxItem
from storages.queueing import enqueue
from storages.runs import ACTIVE, ExportRun, ImportRun, Run, State
from storages.snapshots import write as snapshots
from users.models import User

log = logging.getLogger(__name__)
# a secret that no key opens is to end its own run, inside of the job, and nothing else
HIDDEN = [f"storage__{name}" for name in secret_names(ImportStorage)]


def _queued(run: Any, job: str) -> Any:
    """Has a worker do ``job`` for a run that was begun, as soon as that is committed; None, no run, stays None."""
    if run is not None:
        transaction.on_commit(lambda: enqueue("low", f"storages.jobs.{job}", run.pk, run.job_id))
    return run


def start_import(storage: ImportStorage, user: User | None = None, trigger: str = "api") -> ImportRun | None:
    """Queues a sync of the source and returns its run; None if one is queued or running already."""
    run = importing.begin(storage, user, trigger)
    return _queued(run, "run_import")


def start_retry(
    storage: ImportStorage, user: User | None = None, trigger: str = "api", *, keys: Collection[str] = ()
) -> ImportRun | None:
    """Queues a run over the objects that failed before, or those of ``keys``; None if a run is queued or running already."""
    run = importing.begin(storage, user, trigger, retry=True, keys=keys)
    return _queued(run, "run_import")


def start_export(
    storage: ExportStorage, user: User | None = None, trigger: str = "api", *, only_new: bool = False
) -> ExportRun | None:
    """Queues a sync of the target and returns its run; None if one is queued or running already."""
    run = status.begin(storage, user=user, trigger=trigger, only_new=only_new)
    return _queued(run, "run_export")


def start_snapshot(
    storage: ExportStorage, user: User | None = None, trigger: str = "api", *, form: str = "jsonl", name: str = ""
) -> ExportRun | None:
    """Queues a snapshot to the target and returns its run; None if a run is queued or under way already."""
    run = snapshots.begin(storage, user, trigger, form=form, name=name)
    return _queued(run, "run_export")


def start_export_retry(
    storage: ExportStorage, user: User | None = None, trigger: str = "api", *, subjects: Collection[int] = ()
) -> ExportRun | None:
    """Queues a run over the objects that could not be written, or those of ``subjects``; None if one is queued or running."""
    run = exporting.begin_retry(storage, user, trigger, subjects)
    return _queued(run, "run_export")


def cancel(run: Run, user: User | None) -> bool:
    """Ends an active run on request; False if it had ended before."""
    cancelled = status.cancel(run, user)
    if cancelled and isinstance(run, ExportRun):
        outbox.withdraw(run)
    return cancelled


def call_workers(run: ImportRun) -> None:
    """Queues jobs for the pieces of the run that nobody works on.

    Their ids change with time: a job that died with its worker stays known to RQ for a while, and must not stand in the way.
    """
    moment = int(time.time()) // 10
    for number in range(shards.wanted(run, run.storage.sync_workers)):
        if not enqueue("low", "storages.jobs.run_import", run.pk, f"{run.job_id}-{moment}-{number}"):
            return


def record_failure(storage: Storage, user: User | None, error: StorageError, trigger: str = "api") -> Run | None:
    """Leaves a failed run behind for a sync that could not even start, and returns it, unless one is under way."""
    run = status.begin(storage, user=user, trigger=trigger)
    if run is not None:
        status.fail(run, code=error.code, message=str(error))
    return run


def request_delivery(target_ids: list[int]) -> None:
    """Has the outbox of these targets delivered soon.

    The id changes with the minute: a job that died with its worker stays known to RQ for many, and must not stand in the way.
    """
    minute = int(time.time()) // 60
    for pk in target_ids:
        if not enqueue("default", "storages.jobs.deliver_outbox", pk, f"deliver-{pk}-{minute}"):
            return


def run_import(run_id: int) -> None:
    """The job of an import run; any number of workers may do it at the same time."""
    run = ImportRun.objects.select_related("storage__project").defer(*HIDDEN).filter(pk=run_id).first()
    if run is None:
        log.info("run %s is gone, its storage was deleted", run_id)
        return
    with _ended(run, lease=None):
        importing.work(run, lambda: call_workers(run))


def run_export(run_id: int) -> None:
    """The job of an export run."""
    if (held := _take(ExportRun, run_id)) is None:
        return
    run, lease = held
    with _kept(run, lease):
        (snapshots if run.kind == ExportRun.Kind.SNAPSHOT else exporting).work(run, lease)


def deliver_outbox(storage_id: int) -> None:
    """The job that delivers what is due for one target."""
    target = ExportStorage.objects.defer(*secret_names(ExportStorage)).filter(pk=storage_id).first()
    if target is None:
        OutboxItem.objects.filter(storage_id=storage_id).delete()
    else:
        exporting.empty_outbox(target)


def _take(model: type[Run], run_id: int) -> tuple[Run, str] | None:
    """The run and a fresh lease on it; None if its storage is gone or another delivery of this job came first."""
    hidden = [f"storage__{name}" for name in secret_names(ExportStorage)]
    run = model.objects.select_related("storage__project").defer(*hidden).filter(pk=run_id).first()
    if run is None:
        log.info("run %s is gone, its storage was deleted", run_id)
        return None
    try:
        return run, status.acquire(run)
    except status.LeaseLost:
        log.info("run %s was taken before; this delivery of its job has nothing to do", run_id)
        return None


@contextmanager
def _kept(run: Run, lease: str) -> Iterator[None]:
    """Keeps the lease alive, and ends a run that could not go on to its end."""
    with _ended(run, lease), kept_alive(lambda: (status.beat(run, lease), outbox.renew(lease))):
        yield


@contextmanager
def _ended(run: Run, lease: str | None) -> Iterator[None]:
    """Ends the run with the reason for which the block could not go on."""
    try:
        yield
    except status.LeaseLost:
        log.warning("run %s was ended or taken over by somebody else; an uncommitted batch is dropped", run.pk)
    except (StorageError, DecryptionFailed) as error:
        status.fail(run, code=getattr(error, "code", "decryption"), message=str(error), lease=lease)
    except (OperationalError, InterfaceError) as error:
        log.warning("run %s lost the database (%s); another worker goes on", run.pk, type(error).__name__)
    except Exception:  # noqa: BLE001 - the job boundary
        log.exception("run %s failed", run.pk)
        connection.close_if_unusable_or_obsolete()
        message = f"internal error; the server's log has the details of run {run.pk}"
        status.fail(run, code="internal", message=message, lease=lease)


def scheduled_import(pk: int) -> None:
    """The job of a source's schedule."""
    with _reported(f"schedule of source {pk}"):
        schedules.fire(ImportStorage, pk, partial(start_import, trigger="schedule"))


def scheduled_export(pk: int) -> None:
    """The job of a target's schedule."""
    with _reported(f"schedule of target {pk}"):
        schedules.fire(ExportStorage, pk, partial(start_export, trigger="schedule"))


def notify_import(run_id: int) -> None:
    """The job that tells the webhook of a source that a run has ended."""
    webhooks.deliver(ImportRun, run_id)


def notify_export(run_id: int) -> None:
    """The job that tells the webhook of a target that a run has ended."""
    webhooks.deliver(ExportRun, run_id)


@contextmanager
def _reported(what: str) -> Iterator[None]:
    """One storage that cannot be used must not stop the others."""
    try:
        yield
    except (StorageError, DecryptionFailed) as error:
        log.warning("%s: %s", what, error)


def tick() -> None:
    """The scheduler's round: work of dead workers is given to others, lost jobs are queued again, what is due is started."""
    now = timezone.now()
    _keep_runs_going(now)
    for pk in schedules.ensure(ImportStorage, now):
        scheduled_import(pk)
    for pk in schedules.ensure(ExportStorage, now):
        scheduled_export(pk)
    closing.close_done()
    request_delivery(outbox.waiting_targets())
    minute = int(now.timestamp()) // 60
    for model, job in ((ImportRun, "notify_import"), (ExportRun, "notify_export")):
        for pk in webhooks.waiting(model):
            enqueue("default", f"storages.jobs.{job}", pk, f"{job}-{pk}-{minute}")


def _keep_runs_going(now: datetime) -> None:
    shards.release_dead()
    for run in ImportRun.objects.filter(state__in=ACTIVE).select_related("storage").defer(*HIDDEN):
        if run.state == State.IN_PROGRESS or run.queued_at < now - timedelta(seconds=status.DEAD_AFTER):
            call_workers(run)
    status.reap(ExportRun.objects)
    for run in status.stale_queued(ExportRun.objects, now):
        enqueue("low", "storages.jobs.run_export", run.pk, run.job_id)
