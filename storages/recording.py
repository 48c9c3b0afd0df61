"""Marks everything that a project has annotated as due on behalf of a run: slice by slice, so that no save waits for it,

and from where it stood if its worker dies. Writes nothing to a target.
"""

import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from django.db import connection, transaction
from django.utils import timezone

from storages import names, status
from storages.links import ExportLink, Form, OutboxItem
from storages.runs import ExportRun
from tasks.models import Annotation, Task

log = logging.getLogger(__name__)
SLICE = 2000  # objects of one transaction
PATIENCE = 600.0  # seconds that open transactions of others are waited for


class Progress(NamedTuple):
    """How far a run has come, as its ``cursor`` keeps it: the last subject, and how many were made due."""

    last: int = 0
    total: int = 0

    @classmethod
    def read(cls, cursor: str) -> "Progress":
        return cls(*map(int, cursor.split())) if cursor else cls()

    def __str__(self) -> str:
        return " ".join(map(str, self))


def record_all(run: ExportRun, lease: str) -> None:
    """Makes everything due; with ``run.only_new`` what was written since its last change is left out. Raises LeaseLost."""
    _outlast_older(lambda: status.beat(run, lease))
    progress = Progress.read(ExportRun.objects.values_list("cursor", flat=True).get(pk=run.pk))
    form = names.form_of(run.storage)
    while subjects := _slice(run, form, progress.last):
        with transaction.atomic():
            made = _record(run, form, progress.last, subjects[-1])
            progress = progress._replace(last=subjects[-1], total=progress.total + made)
            status.note(run, lease, cursor=str(progress))  # last: a heartbeat must not have to wait for the slice
    status.expect(run, progress.total)


def _outlast_older(prove: Callable[[], object]) -> None:
    """Waits until every transaction that was open has ended: it may not have seen the target when it saved an annotation.

    SQLite has one writer, so there is none. ``prove`` raises when nobody wants us to go on.
    """
    if connection.vendor != "postgresql":
        return
    end = time.monotonic() + PATIENCE
    with connection.cursor() as cursor:  # transactions that have written; those that only read have no number
        cursor.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
        [horizon] = cursor.fetchone()
        while time.monotonic() < end:
            cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot()) >= %s::xid8", [horizon])
            if cursor.fetchone()[0]:
                return
            prove()
            time.sleep(0.1)
    log.warning("a transaction has been open for %s s; what it saves reaches the target with the next sync", int(PATIENCE))


def _column(form: Form) -> str:
    return "task_id" if form is Form.TASK else "id"


def _slice(run: ExportRun, form: Form, last: int) -> list[int]:
    """The next subjects behind ``last``, rising."""
    column = _column(form)
    rows = Annotation.objects.filter(project_id=run.storage.project_id, **{f"{column}__gt": last})
    return list(rows.order_by(column).values_list(column, flat=True).distinct()[:SLICE])


def _record(run: ExportRun, form: Form, low: int, high: int) -> int:
    """Makes the subjects above ``low`` up to ``high`` due; how many."""
    column, project = _column(form), run.storage.project_id
    tables = [OutboxItem, Annotation, ExportLink, Task]
    table, source, link, task = (connection.ops.quote_name(model._meta.db_table) for model in tables)
    wanted = f"SELECT DISTINCT {column} AS subject FROM {source} WHERE project_id = %s AND {column} > %s AND {column} <= %s"  # noqa: S608
    values = [project, low, high]
    if run.only_new:
        # The task is part of the object; what else may have changed is told by the digest when it is delivered. A NOT EXISTS
        # would be quadratic on PostgreSQL for as long as the statistics know nothing of a new target's links.
        wanted += (
            f" EXCEPT SELECT l.subject FROM {link} l JOIN {source} s ON s.{column} = l.subject "  # noqa: S608
            f"JOIN {task} t ON t.id = s.task_id WHERE l.storage_id = %s AND l.form = %s AND l.subject > %s AND l.subject <= %s "
            "GROUP BY l.subject, l.exported_at HAVING l.exported_at >= MAX(s.updated_at) AND l.exported_at >= MAX(t.updated_at)"
        )
        values += [run.storage_id, form.value, low, high]
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (storage_id, form, subject, version, claim, due, attempts, run_id) "  # noqa: S608
            f"SELECT %s, %s, subject, 1, '', %s, 0, %s FROM ({wanted}) wanted ORDER BY subject "
            f"ON CONFLICT (storage_id, form, subject) DO UPDATE SET version = {table}.version + 1, attempts = 0, "
            f"run_id = excluded.run_id, due = CASE WHEN {table}.claim = '' THEN excluded.due ELSE {table}.due END",
            [run.storage_id, form.value, now, run.pk, *values],
        )
        return cursor.rowcount
