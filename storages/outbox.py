"""The outbox: which exported objects may be out of date. A change is recorded in its own transaction, delivered later.

One row per (storage, form, subject), so at most one worker writes an object at a time and the newest state wins.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from storages import names
from storages.base import ExportStorage
from storages.links import ExportLink, Form, OutboxItem
from storages.runs import ExportRun
from tasks.models import Annotation, Task


class Due(NamedTuple):
    """A claimed row."""

    pk: int
    storage_id: int
    form: str
    subject: int
    version: int
    run_id: int | None
    claim: str
    attempts: int


CLAIM = timedelta(seconds=30)  # a claim is renewed while its worker lives, and free again this long after it died
CHUNK = 256  # rows of one claim
BACK_OFF = (1, 5, 30, 120, 600, 3600)  # seconds until the next try


def record(project_id: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Marks (annotation, task) pairs as changed for every target of the project; returns the targets' ids."""
    targets = list(ExportStorage.objects.filter(project_id=project_id).order_by("id").only("id", "object_form"))
    if targets:
        pairs = list(pairs)
        rows = []  # one order for all: no deadlock
        for target in targets:
            form = names.form_of(target)
            rows += [(target.pk, form.value, subject) for subject in sorted({pair[form is Form.TASK] for pair in pairs})]
        for start in range(0, len(rows), 500):
            _upsert(rows[start : start + 500])
    return [target.pk for target in targets]


def _upsert(rows: Sequence[tuple[int, str, int]]) -> None:
    """A row that is being delivered keeps its claim and only learns that it is out of date again."""
    table = connection.ops.quote_name(OutboxItem._meta.db_table)
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    marks = ", ".join(["(%s, %s, %s, 1, '', %s, 0)"] * len(rows))
    values = [value for row in rows for value in (*row, now)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (storage_id, form, subject, version, claim, due, attempts) VALUES {marks} "  # noqa: S608
            f"ON CONFLICT (storage_id, form, subject) DO UPDATE SET version = {table}.version + 1, attempts = 0, "
            f"due = CASE WHEN {table}.claim = '' THEN excluded.due ELSE {table}.due END",
            values,
        )


def record_all(run: ExportRun) -> int:
    """Marks everything the project has annotated as out of date on behalf of ``run``; how many objects that is.

    With ``run.only_new`` what was written since its last change is left out.
    """
    form = names.form_of(run.storage)
    column = "task_id" if form is Form.TASK else "id"
    tables = [OutboxItem, Annotation, ExportLink, Task]
    table, source, link, task = (connection.ops.quote_name(model._meta.db_table) for model in tables)
    wanted, known = f"SELECT DISTINCT {column} AS subject FROM {source} WHERE project_id = %s", []  # noqa: S608
    if run.only_new:
        known = [run.storage_id, form.value]
        # The task is part of the object; what else may have changed is told by the digest when it is delivered. A NOT EXISTS
        # would be quadratic on PostgreSQL for as long as the statistics know nothing of a new target's links.
        wanted += (
            f" EXCEPT SELECT l.subject FROM {link} l JOIN {source} s ON s.{column} = l.subject "  # noqa: S608
            f"JOIN {task} t ON t.id = s.task_id WHERE l.storage_id = %s AND l.form = %s "
            "GROUP BY l.subject, l.exported_at HAVING l.exported_at >= MAX(s.updated_at) AND l.exported_at >= MAX(t.updated_at)"
        )
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (storage_id, form, subject, version, claim, due, attempts, run_id) "  # noqa: S608
            f"SELECT %s, %s, subject, 1, '', %s, 0, %s FROM ({wanted}) wanted ORDER BY subject "
            f"ON CONFLICT (storage_id, form, subject) DO UPDATE SET version = {table}.version + 1, attempts = 0, "
            f"run_id = excluded.run_id, due = CASE WHEN {table}.claim = '' THEN excluded.due ELSE {table}.due END",
            [run.storage_id, form.value, now, run.pk, run.storage.project_id, *known],
        )
    return OutboxItem.objects.filter(run=run).count()


def record_failed(run: ExportRun, subjects: Collection[int] = ()) -> int:
    """Makes what failed before (or ``subjects`` of it) due at once, on behalf of ``run``; how many objects that is."""
    return failed(run.storage_id, subjects).filter(claim="").update(run=run, due=timezone.now(), attempts=0)


def failed(storage_id: int, subjects: Collection[int] = ()) -> QuerySet[OutboxItem]:
    """What could not be written at the last try; with ``subjects`` only those."""
    rows = OutboxItem.objects.filter(storage_id=storage_id, attempts__gt=0)
    return rows.filter(subject__in=subjects) if subjects else rows


def withdraw(run: ExportRun) -> None:
    """Takes back what ``record_all`` alone made due and nobody has begun to deliver; the rest is delivered for no run.

    A retry made nothing due that was not.
    """
    waiting = OutboxItem.objects.filter(run=run, claim="")
    waiting.filter(run__kind=ExportRun.Kind.SYNC, version=1).delete()
    waiting.update(run=None)


def claim(storage: ExportStorage, token: str, limit: int = CHUNK) -> list[Due]:
    """Takes up to ``limit`` due rows for the holder of ``token`` alone, until CLAIM after it stops to ``renew``."""
    now = timezone.now()
    with transaction.atomic():
        due = OutboxItem.objects.filter(storage_id=storage.pk, due__lte=now).order_by("due", "id")
        if connection.features.has_select_for_update_skip_locked:
            due = due.select_for_update(skip_locked=True)
        ids = list(due.values_list("id", flat=True)[:limit])
        OutboxItem.objects.filter(id__in=ids).update(claim=token, due=now + CLAIM)
    mine = OutboxItem.objects.filter(id__in=ids, claim=token).order_by("id")
    return [Due(*row) for row in mine.values_list(*Due._fields)]


def renew(token: str) -> None:
    """A sign of life of whoever claimed rows with ``token``."""
    OutboxItem.objects.filter(claim=token).update(due=timezone.now() + CLAIM)


def settle(items: Sequence[Due]) -> None:
    """Delivered: removes the rows, or frees those that changed again meanwhile for another round.

    A row whose claim was lost meanwhile (its holder stood still for longer than CLAIM) may have been written by two
    workers in any order, so it counts as out of date again.
    """
    groups: dict[tuple[str, int], list[int]] = defaultdict(list)
    for item in items:
        groups[item.claim, item.version].append(item.pk)
    kept: set[int] = set()
    for (token, version), ids in groups.items():
        mine = OutboxItem.objects.filter(pk__in=ids, claim=token)
        kept.update(mine.values_list("pk", flat=True))
        mine.filter(version=version).delete()
        mine.update(claim="", due=timezone.now())
    if lost := sorted((item.storage_id, item.form, item.subject) for item in items if item.pk not in kept):
        _upsert(lost)


def postpone(items: Sequence[Due], *, keep_run: bool = True) -> None:
    """Failed: tries again later, waiting longer each time; without ``keep_run`` no longer on behalf of its run."""
    change = {} if keep_run else {"run": None}
    tokens = {item.claim for item in items}
    mine = OutboxItem.objects.filter(pk__in=[item.pk for item in items], claim__in=tokens)
    tries: dict[int, list[int]] = defaultdict(list)  # read anew: a change meanwhile set it back to 0
    for pk, attempts in mine.values_list("pk", "attempts"):
        tries[min(attempts, len(BACK_OFF) - 1)].append(pk)
    for attempts, pks in tries.items():
        due = timezone.now() + timedelta(seconds=BACK_OFF[attempts])
        mine.filter(pk__in=pks).update(claim="", attempts=F("attempts") + 1, due=due, **change)


def waiting_targets() -> list[int]:
    """Ids of the targets that have something due."""
    due = OutboxItem.objects.filter(due__lte=timezone.now())
    return list(due.order_by().values_list("storage_id", flat=True).distinct())
