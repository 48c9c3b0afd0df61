"""Pieces of an import run that workers take, work on and give back; every change is a guarded UPDATE.

A shard is a stretch of the listing or a later stage of the run. Only the holder of its lease moves its cursor, in the
transaction of the rows it saves, so that a piece worked on twice is saved once.
"""

import uuid
from collections.abc import Iterable, Sequence
from datetime import timedelta

from django.db import models, transaction
from django.db.models import F
from django.utils import timezone

from storages import status
from storages.runs import ACTIVE, ImportRun, State


class Stage(models.IntegerChoices):
    """What a shard does. A stage begins when all shards of the stages before it are done."""

    LIST = 0  # imports what a stretch of the listing holds
    RETRY = 1  # imports the objects that failed before
    RENAME = 2  # gives tasks of vanished objects to new objects of the same content
    PARKED = 3  # imports the new objects that were no renames
    SWEEP = 4  # deals with the objects that vanished


class Shard(models.Model):
    """One piece of work. ``low`` < key <= ``high`` ("" = open) under ``folder`` ("" = the storage's root)."""

    class State(models.TextChoices):
        WAITING = "waiting"
        TAKEN = "taken"
        DONE = "done"

    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="shards")
    stage = models.PositiveSmallIntegerField(choices=Stage.choices, default=Stage.LIST)
    folder = models.TextField(default="", blank=True)
    recursive = models.BooleanField(default=True)
    low = models.TextField(default="", blank=True)
    high = models.TextField(default="", blank=True)
    cursor = models.TextField(default="", blank=True, help_text="everything up to here is committed")
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    lease = models.CharField(max_length=64, default="", blank=True)
    heartbeat = models.DateTimeField(default=timezone.now, help_text="last sign of life of the holder")
    deaths = models.PositiveSmallIntegerField(default=0, help_text="holders that died since a batch was last saved")
    # what it added to the run's counters, to be taken back should it have to begin anew
    listed = models.BigIntegerField(default=0)
    settled = models.BigIntegerField(default=0)
    existed = models.BigIntegerField(default=0)
    ignored = models.BigIntegerField(default=0)
    changed = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["stage", "id"]


class Seen(models.Model):
    """Ids of rows (links, or object states) that the listing of a run came across: ``low`` to ``high``, both included.

    Objects listed in the order in which they were imported have consecutive ids, so that a million make a few rows.
    """

    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="seen", db_index=False)
    low = models.BigIntegerField()
    high = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["run", "low"], name="seen_in_order")]


class ParkedObject(models.Model):
    """An object set aside for a later stage: one to retry, or a new one that may turn out to be a renamed one."""

    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="parked", db_index=False)
    shard_id = models.BigIntegerField(default=0, help_text="the piece that listed it, 0: none")
    key = models.TextField()
    size = models.BigIntegerField(help_text="bytes")
    modified = models.DateTimeField(null=True, default=None)
    etag = models.TextField(default="")

    class Meta:
        indexes = [
            models.Index(fields=["run", "id"], name="parked_in_order"),
            models.Index(fields=["run", "etag"], name="parked_by_version"),
        ]


MOST_DEATHS = 3  # workers that may die over one piece without getting further; the next death ends the run
LISTING = ("listed", "settled", "existed", "ignored", "changed")  # counters that a shard can take back


def take(run: ImportRun, workers: int) -> Shard | None:
    """A piece for the caller alone, with a fresh lease; None if there is none now. Raises LeaseLost if the run has ended."""
    with transaction.atomic():
        status.set_going(run)  # holds the run's row: nobody else takes a piece meanwhile
        undone = Shard.objects.filter(run=run).exclude(state=Shard.State.DONE)
        stage = undone.values_list("stage", flat=True).first()
        taken = undone.filter(state=Shard.State.TAKEN).count()
        shard = undone.filter(stage=stage, state=Shard.State.WAITING).first() if taken < workers else None
        if shard is not None:
            shard.state, shard.lease, shard.heartbeat = Shard.State.TAKEN, uuid.uuid4().hex, timezone.now()
            shard.save(update_fields=["state", "lease", "heartbeat"])
        return shard


def owned(shard: Shard) -> models.QuerySet:
    """The shard's row, as long as its lease is ours and its run goes on."""
    return Shard.objects.filter(pk=shard.pk, lease=shard.lease, state=Shard.State.TAKEN)


def advance(shard: Shard, *, cursor: str | None = None, **counters: int) -> None:
    """Moves the cursor and adds to the counters, first in the transaction of a batch. Raises LeaseLost."""
    changes = {name: F(name) + amount for name, amount in counters.items() if amount} | {"deaths": 0}
    if cursor is not None:
        changes["cursor"] = cursor
    if not owned(shard).update(heartbeat=timezone.now(), **changes):
        raise status.LeaseLost


def beat(shard: Shard) -> None:
    """A sign of life. Raises LeaseLost, also when the run has ended meanwhile."""
    if not owned(shard).filter(run__state=State.IN_PROGRESS).update(heartbeat=timezone.now()):
        raise status.LeaseLost


def finish(shard: Shard) -> None:
    """The piece is done. Raises LeaseLost."""
    if not owned(shard).update(state=Shard.State.DONE, lease=""):
        raise status.LeaseLost


def rewind(shard: Shard, **changes: object) -> None:
    """Begins the piece anew: what it added to the run's counters is taken back. Raises LeaseLost."""
    with transaction.atomic():
        held = owned(shard).select_for_update().first()
        if held is None:
            raise status.LeaseLost
        status.advance(shard.run, **{name: -getattr(held, name) for name in LISTING})
        ParkedObject.objects.filter(run=shard.run, shard_id=shard.pk).delete()
        blank = dict.fromkeys(LISTING, 0) | {"cursor": ""} | changes
        owned(shard).update(**blank)
    for name, value in blank.items():
        setattr(shard, name, value)


def split(shard: Shard, cuts: Sequence[str]) -> None:
    """Leaves what is behind the first of the rising ``cuts``, in pieces that end at the others, to workers. Raises LeaseLost."""
    parts = zip(cuts, [*cuts[1:], shard.high], strict=True)
    with transaction.atomic():
        if not owned(shard).update(high=cuts[0]):
            raise status.LeaseLost
        rest = [Shard(run=shard.run, stage=shard.stage, folder=shard.folder, low=low, high=high) for low, high in parts]
        Shard.objects.bulk_create(rest)
    shard.high = cuts[0]


def split_by_folder(shard: Shard, folders: Iterable[str]) -> None:
    """Leaves each of the sub-folders to another worker and begins anew with what lies beside them. Raises LeaseLost."""
    with transaction.atomic():
        rewind(shard, recursive=False)
        Shard.objects.bulk_create(Shard(run=shard.run, stage=shard.stage, folder=folder) for folder in folders)


def lay_out(run: ImportRun, stages: Iterable[Stage], previous: ImportRun | None = None) -> None:
    """The pieces of a new run, the unfinished ones of ``previous`` first, so that it goes on where that one stopped."""
    pieces = []
    for stage in stages:
        spans = _rotated(previous) if stage is Stage.LIST and previous else [("", "")]
        pieces += [Shard(run=run, stage=stage, low=low, high=high) for low, high in spans]
    Shard.objects.bulk_create(pieces)


def _rotated(previous: ImportRun) -> list[tuple[str, str]]:
    """The whole key space as (low, high) spans, those that ``previous`` did not get to first."""
    open_spans, done_spans = [], []
    for shard in sorted(previous.shards.filter(stage=Stage.LIST), key=lambda shard: shard.low):
        if shard.folder or not shard.recursive:
            return [("", "")]
        place = shard.high if shard.state == Shard.State.DONE else max(shard.cursor, shard.low)
        if shard.state == Shard.State.DONE or place > shard.low:
            if done_spans and done_spans[-1][1] == shard.low and shard.low:
                done_spans[-1] = (done_spans[-1][0], place)
            else:
                done_spans.append((shard.low, place))
        if shard.state != Shard.State.DONE:
            open_spans.append((place, shard.high))
    return [*open_spans, *done_spans] or [("", "")]


def release_dead() -> list[ImportRun]:
    """Gives back pieces whose holder shows no sign of life; the runs concerned. A run that keeps killing workers is ended."""
    dead = timezone.now() - timedelta(seconds=status.DEAD_AFTER)
    lost = Shard.objects.filter(state=Shard.State.TAKEN, heartbeat__lt=dead, run__state__in=ACTIVE)
    runs: dict[int, ImportRun] = {}
    for shard in lost.select_related("run"):
        mine = Shard.objects.filter(pk=shard.pk, lease=shard.lease, heartbeat__lt=dead)
        if mine.update(state=Shard.State.WAITING, lease="", deaths=F("deaths") + 1):
            runs[shard.run_id] = shard.run
            if shard.deaths >= MOST_DEATHS:
                message = (
                    f"{shard.deaths + 1} workers died one after another behind {shard.cursor or 'the first object'!r} "
                    "(out of memory?); what had been committed is kept, see the workers' log"
                )
                status.fail(shard.run, code="worker_lost", message=message)
    return list(runs.values())


def wanted(run: ImportRun, workers: int) -> int:
    """How many more workers have something to do; one if only the end of the run is missing."""
    undone = Shard.objects.filter(run=run).exclude(state=Shard.State.DONE).order_by()
    counts: dict[int, dict[str, int]] = {}
    for stage, state, count in undone.values_list("stage", "state").annotate(n=models.Count("id")):
        counts.setdefault(stage, {})[state] = count
    if not counts:
        return 1
    now = counts[min(counts)]
    return max(min(workers - now.get(Shard.State.TAKEN, 0), now.get(Shard.State.WAITING, 0)), 0)
