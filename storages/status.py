"""Every change of a run's state, as a guarded UPDATE that checks its row count; and the Label Studio view of a run.

Two workers can never both write for one run: each batch first proves that it still holds the lease.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from storages.base import Storage
from storages.runs import ACTIVE, Run, State
from users.models import User

HEARTBEAT = 5  # seconds between signs of life (behaviour.md §1.8: progress at least every 5 s)
DEAD_AFTER = 30  # seconds without one; a batch never takes as long, and the heartbeat has a thread of its own
COUNTERS = ("listed", "created", "existed", "ignored", "failed")
TRACEBACK_LINES = 100


class LeaseLost(Exception):
    """Another worker, a cancel or the reaper ended this run meanwhile; what was not committed is dropped."""


def runs_of(storage: Storage) -> type[Run]:
    """The model of the storage's runs."""
    return type(storage)._meta.get_field("run").related_model


def begin(storage: Storage, *, user: User | None, trigger: str, **options: bool) -> Run | None:
    """A new queued run, the storage's newest from now on; None if one is already queued or running."""
    model = runs_of(storage)
    reap(model.objects.filter(storage_id=storage.pk))
    attempt = 1 + (model.objects.filter(storage_id=storage.pk).order_by("-id").values_list("attempt", flat=True).first() or 0)
    try:
        with transaction.atomic():
            run = model.objects.create(
                storage_id=storage.pk, started_by=user, trigger=trigger, attempt=attempt, job_id=str(uuid.uuid4()), **options
            )
            _parent(storage).objects.filter(pk=storage.pk).update(run=run)
    except IntegrityError:  # the partial unique index: one active run per storage
        return None
    storage.run = run
    return run


def _parent(storage: Storage) -> type[Storage]:
    return type(storage)._meta.get_field("run").model


def acquire(run: Run) -> str:
    """The lease of a queued run, which is in progress from now on. Raises LeaseLost if it is not queued any more."""
    lease, now = uuid.uuid4().hex, timezone.now()
    fresh = {"state": State.IN_PROGRESS, "lease": lease, "started_at": now, "heartbeat": now}
    _guarded(type(run).objects.filter(pk=run.pk, state=State.QUEUED).update(**fresh))
    return lease


def beat(run: Run, lease: str) -> None:
    """A sign of life. Raises LeaseLost."""
    _guarded(_owned(run, lease).update(heartbeat=timezone.now()))


def advance(run: Run, lease: str, *, cursor: str | None = None, **counters: int) -> None:
    """Adds to the counters and moves the cursor; call it first in the batch's transaction. Raises LeaseLost."""
    changes: dict[str, Any] = {name: F(name) + amount for name, amount in counters.items() if amount}
    if cursor is not None:
        changes["cursor"] = cursor
    _guarded(_owned(run, lease).update(heartbeat=timezone.now(), **changes))


def complete(run: Run, lease: str) -> None:
    """Ends the run: ``completed``, or ``completed_with_errors`` when anything failed. Raises LeaseLost."""
    now = timezone.now()
    clean = _owned(run, lease).filter(failed=0).update(state=State.COMPLETED, finished_at=now, heartbeat=now)
    if not clean:
        ended = {"state": State.COMPLETED_WITH_ERRORS, "finished_at": now, "heartbeat": now, "error": first_issues(run)}
        _guarded(_owned(run, lease).update(**ended))


def first_issues(run: Run) -> str:
    """The run's first issues, a line each, and how many more there are."""
    lines = [str(issue) for issue in run.issues.order_by("id")[:TRACEBACK_LINES]]
    more = (type(run).objects.filter(pk=run.pk).values_list("failed", flat=True).first() or 0) - len(lines)
    return "\n".join([*lines, f"… and {more} more"] if more > 0 else lines)


def fail(run: Run, *, code: str, message: str, lease: str | None = None) -> bool:
    """Ends an active run (only the holder's if ``lease`` is given) as ``failed``; False if it had ended before."""
    rows = type(run).objects.filter(pk=run.pk, state__in=ACTIVE)
    rows = rows if lease is None else rows.filter(lease=lease)
    return bool(rows.update(state=State.FAILED, finished_at=timezone.now(), error_code=code, error=message))


def end_all(runs: Any, message: str) -> None:
    """Ends the active ones of ``runs`` as failed; waits for a batch that is being saved, and no other follows."""
    runs.filter(state__in=ACTIVE).update(state=State.FAILED, finished_at=timezone.now(), error_code="ended", error=message)


def reap(runs: Any) -> int:
    """Declares runs without a sign of life dead; how many. Their committed batches stay, the next sync goes on."""
    dead = timezone.now() - timedelta(seconds=DEAD_AFTER)
    message = "the worker of this sync died; what it had committed is kept, start the sync again to go on"
    return runs.filter(state=State.IN_PROGRESS, heartbeat__lt=dead).update(
        state=State.FAILED, finished_at=timezone.now(), error_code="worker_lost", error=message
    )


def _owned(run: Run, lease: str) -> Any:
    return type(run).objects.filter(pk=run.pk, state=State.IN_PROGRESS, lease=lease)


def _guarded(rows: int) -> None:
    if rows != 1:
        raise LeaseLost


def summary(storage: Storage) -> dict[str, Any]:
    """Label Studio's ``status``, ``last_sync*``, ``traceback`` and ``meta`` (contract.md §5), all from the newest run."""
    run = storage.run
    if run is None:
        blank = {"last_sync": None, "last_sync_count": None, "last_sync_job": None, "traceback": None}
        return {"status": State.INITIALIZED, "meta": {}, **blank}
    done = run.state in (State.COMPLETED, State.COMPLETED_WITH_ERRORS)
    return {
        "status": run.state,
        "last_sync": run.finished_at if done else None,
        "last_sync_count": None if run.state == State.QUEUED else run.created,
        "last_sync_job": run.job_id,
        "traceback": run.error or None,  # in words, never code
        "meta": meta(run),
    }


def meta(run: Run) -> dict[str, Any]:
    """Times are strings like ``2026-11-22 04:29:37.708497+00:00``, ``duration`` is seconds (contract.md §5)."""
    values: dict[str, Any] = {"attempts": run.attempt, "time_queued": str(run.queued_at)}
    if run.started_at:
        values |= {"time_in_progress": str(run.started_at), "time_last_ping": str(run.heartbeat)}
        values |= {"duration": ((run.finished_at or run.heartbeat) - run.started_at).total_seconds()}
        values |= {"tasks_existed": run.existed} if run.total is None else {"total_annotations": run.total}
        values |= {name: getattr(run, name) for name in ("listed", "ignored", "failed")}
    if run.finished_at:
        values["time_failure" if run.state == State.FAILED else "time_completed"] = str(run.finished_at)
    if run.state == State.COMPLETED_WITH_ERRORS:
        values["tasks_failed_validation"] = run.failed
    return values


def stale_queued(runs: Any, now: datetime) -> Any:
    """Queued runs that no worker took for a while: their job may be lost with the queue."""
    return runs.filter(state=State.QUEUED, queued_at__lt=now - timedelta(seconds=DEAD_AFTER))
