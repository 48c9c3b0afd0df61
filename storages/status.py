"""Every change of a run's state, as a guarded UPDATE that checks its row count; and the Label Studio view of a run.

Two workers can never both write for one run: each batch first proves that it still holds the lease.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from config.env import env_int
from storages.base import Storage
from storages.runs import ACTIVE, ExportRun, ImportRun, Run, State
from users.models import User

DEAD_AFTER = env_int("SYNC_LEASE_SECONDS", 30, minimum=1)  # without a sign of life a worker counts as dead
HEARTBEAT = min(5.0, DEAD_AFTER / 4)  # seconds between signs of life (behaviour.md §1.8: progress at least every 5 s)
UNBEGUN = timedelta(hours=1)  # how long a sync is queued again that never got to note what there is to do
TRACEBACK_LINES = 100
NOTICES = ("changed", "vanished", "left_behind")  # codes of issues that are no failures
_UNSEEN = "no reader takes a folder with no manifest for a snapshot; start another one"
_TRIED = "what it had written stays, the rest is tried again by itself or with another retry"
_WRITTEN = "what had been written stays, changes of annotations are written all the same"
LEAVES = {  # what a run that is cancelled leaves behind
    ImportRun: {
        ImportRun.Kind.SYNC: "what had been committed is kept, the next sync goes on from there",
        ImportRun.Kind.RETRY: "what had been committed is kept, another retry tries the rest",
    },
    ExportRun: {
        ExportRun.Kind.SYNC: f"{_WRITTEN}, and so is the rest by the next sync (with only_new, without writing this again)",
        ExportRun.Kind.SNAPSHOT: _UNSEEN,
        ExportRun.Kind.RETRY: _TRIED,
    },
}
LOST = {  # what a run leaves behind whose worker died
    ExportRun.Kind.SYNC: "what it had written stays, the rest is written by itself",
    ExportRun.Kind.SNAPSHOT: _UNSEEN,
    ExportRun.Kind.RETRY: _TRIED,
}


NEVER_BEGAN = "the workers of this sync died before they had noted what there is to write; start the sync again"


class LeaseLost(Exception):
    """Another worker, a cancel or the reaper ended this run meanwhile; what was not committed is dropped."""


def runs_of(storage: Storage) -> type[Run]:
    """The model of the storage's runs."""
    return type(storage)._meta.get_field("run").related_model


def begin(storage: Storage, *, user: User | None, trigger: str, **options: Any) -> Run | None:
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


def set_going(run: Run) -> None:
    """A worker has come: the run is in progress from now on. Raises LeaseLost if it has ended."""
    now = timezone.now()
    rows = type(run).objects.filter(pk=run.pk)
    if not rows.filter(state=State.QUEUED).update(state=State.IN_PROGRESS, started_at=now, heartbeat=now):
        _guarded(rows.filter(state=State.IN_PROGRESS).update(heartbeat=now))


def beat(run: Run, lease: str) -> None:
    """A sign of life. Raises LeaseLost."""
    _guarded(_owned(run, lease).update(heartbeat=timezone.now()))


def advance(run: Run, lease: str = "", **counters: int) -> None:
    """Adds to the counters, in the transaction of what they count. Raises LeaseLost.

    An import has no lease of its own: its shards have (storages.shards).
    """
    changes = {name: F(name) + amount for name, amount in counters.items() if amount}
    _guarded(_owned(run, lease).update(heartbeat=timezone.now(), **changes))


def note(run: Run, lease: str, **columns: Any) -> None:
    """Sets columns of a run that is being worked on. Raises LeaseLost."""
    _guarded(_owned(run, lease).update(heartbeat=timezone.now(), **columns))


def expect(run: Run, total: int) -> None:
    """How much the run has to do."""
    type(run).objects.filter(pk=run.pk).update(total=total)


def count(model: type[Run], pk: int, **counters: int) -> None:
    """Adds to the counters of a run that somebody worked for, whatever has become of it meanwhile."""
    model.objects.filter(pk=pk).update(**{name: F(name) + amount for name, amount in counters.items() if amount})


def complete(run: Run, lease: str = "", *, too_late: bool = False) -> None:
    """Ends the run: ``completed``, or ``completed_with_errors`` when anything failed. Raises LeaseLost.

    ``too_late``: also one that was ended meanwhile, since what it did cannot be taken back.
    """
    rows = type(run).objects.filter(pk=run.pk, lease=lease) if too_late else _owned(run, lease)
    now = timezone.now()
    if not rows.filter(failed=0).update(**_end(State.COMPLETED, error="", error_code=""), heartbeat=now):
        error = first_issues(run)
        _guarded(rows.update(**_end(State.COMPLETED_WITH_ERRORS, error=error, error_code=""), heartbeat=now))


def _end(state: State, **more: Any) -> dict[str, Any]:
    """The columns of every end; whoever wants to be told will be."""
    now = timezone.now()
    return {"state": state, "finished_at": now, "webhook_due": now, **more}


def first_issues(run: Run) -> str:
    """The run's first failures, a line each, and how many more there are."""
    failures = run.issues.exclude(code__in=NOTICES).order_by("id")
    lines = [str(issue) for issue in failures[:TRACEBACK_LINES]]
    more = (type(run).objects.filter(pk=run.pk).values_list("failed", flat=True).first() or 0) - len(lines)
    return "\n".join([*lines, f"… and {more} more"] if more > 0 else lines)


def fail(run: Run, *, code: str, message: str, lease: str | None = None) -> bool:
    """Ends an active run (only the holder's if ``lease`` is given) as ``failed``; False if it had ended before."""
    rows = type(run).objects.filter(pk=run.pk, state__in=ACTIVE)
    rows = rows if lease is None else rows.filter(lease=lease)
    return bool(rows.update(**_end(State.FAILED, error_code=code, error=message)))


def cancel(run: Run, user: User | None) -> bool:
    """Ends an active run on request; False if it had ended before. What was committed stays, no other batch follows."""
    who = f" by {user}" if user else ""
    kind, *_ = type(run).objects.filter(pk=run.pk).values_list("kind", flat=True) or [run.kind]
    message = f"cancelled{who}; {LEAVES[type(run)][kind]}"
    rows = type(run).objects.filter(pk=run.pk, state__in=ACTIVE)
    return bool(rows.update(**_end(State.CANCELLED, error_code="cancelled", error=message)))


def end_all(runs: Any, message: str) -> None:
    """Ends the active ones of ``runs`` as failed; waits for a batch that is being saved, and no other follows."""
    runs.filter(state__in=ACTIVE).update(**_end(State.FAILED, error_code="ended", error=message))


def reap(runs: Any) -> int:
    """Declares runs whose only worker died failed, or queues them again; how many. Imports go on with other workers."""
    if runs.model is not ExportRun:
        return 0
    lost = runs.filter(state=State.IN_PROGRESS, heartbeat__lt=timezone.now() - timedelta(seconds=DEAD_AFTER))
    again = sum(map(_queue_again, lost.filter(kind=ExportRun.Kind.SYNC, total=None, queued_at__gt=timezone.now() - UNBEGUN)))
    unbegun = lost.filter(kind=ExportRun.Kind.SYNC, total=None)
    again += unbegun.update(**_end(State.FAILED, error_code="worker_lost", error=NEVER_BEGAN))
    return again + sum(
        lost.filter(kind=kind).update(
            **_end(State.FAILED, error_code="worker_lost", error=f"the worker of this {kind} died; {left}")
        )
        for kind, left in LOST.items()
    )


def _queue_again(run: Run) -> int:
    """Of a sync whose worker died before all there is to do was noted: another one goes on where it stood."""
    rows = _owned(run, run.lease).filter(heartbeat=run.heartbeat)
    return rows.update(state=State.QUEUED, lease="", job_id=str(uuid.uuid4()))


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
        "status": State.FAILED if run.state == State.CANCELLED else run.state,
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
        values |= _measure(run)
        values |= {name: getattr(run, name) for name in ("listed", "ignored", "failed")}
    if run.finished_at:
        values["time_failure" if run.state in (State.FAILED, State.CANCELLED) else "time_completed"] = str(run.finished_at)
    if run.state == State.COMPLETED_WITH_ERRORS:
        values["tasks_failed_validation"] = run.failed
    return values


def _measure(run: Run) -> dict[str, Any]:
    """What there was to do; Label Studio knows no snapshots, whose total is in tasks."""
    if not isinstance(run, ExportRun):
        return {"tasks_existed": run.existed}
    return {"total_tasks" if run.kind == ExportRun.Kind.SNAPSHOT else "total_annotations": run.total}


def stale_queued(runs: Any, now: datetime) -> Any:
    """Queued runs that no worker took for a while: their job may be lost with the queue."""
    return runs.filter(state=State.QUEUED, queued_at__lt=now - timedelta(seconds=DEAD_AFTER))
