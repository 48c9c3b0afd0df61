"""Carries out what a source's policies say about changed objects, in sets; inside the batch's transaction."""

from collections.abc import Sequence

from django.db import connection
from django.utils import timezone

from projects.jsontext import dump
from storages.client import ObjectInfo
from storages.known import present
from storages.links import Flag, ImportLink, key_digest
from storages.reports import notify
from storages.runs import ImportRun
from storages.sync.batch import Sorted
from tasks.drafts import TaskDraft
from tasks.models import Task


def apply_changes(run: ImportRun, page: Sorted, *, whole_objects: bool) -> None:
    """Marks changed objects, takes marks away from those that are as they were, takes over new versions of whole objects."""
    if page.restored:
        present(ImportLink, run.storage_id, page.restored).update(flag=Flag.NONE)
    if page.flagged:
        marked = present(ImportLink, run.storage_id, [key_digest(item.key) for item in page.flagged])
        marked.update(flag=Flag.CHANGED)
        message = "the object changed after its tasks were made; they are marked and were left as they are"
        notify(run, [item.key for item in page.flagged], Flag.CHANGED, message)
    if page.renewed:
        _take_over(page.renewed)


def _take_over(renewed: Sequence[tuple[int, ObjectInfo]]) -> None:
    """Gives links the versions of their objects; (link id, object) pairs."""
    quote, adapt = connection.ops.quote_name, connection.ops.adapt_datetimefield_value
    links = quote(ImportLink._meta.db_table)
    rows = [(item.size, item.modified and adapt(item.modified), item.etag, pk) for pk, item in renewed]
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {links} SET size = %s, modified = %s, etag = %s, flag = '' WHERE id = %s", rows)  # noqa: S608
    tasks = ImportLink.objects.filter(pk__in=[pk for pk, _ in renewed]).values("task_id")
    Task.objects.filter(pk__in=tasks).update(updated_at=timezone.now())


def update_tasks(pairs: Sequence[tuple[int, TaskDraft]]) -> None:
    """Gives tasks the data of their drafts where it differs; annotations and predictions stay."""
    table, now = connection.ops.quote_name(Task._meta.db_table), connection.ops.adapt_datetimefield_value(timezone.now())
    cast = "::jsonb" if connection.vendor == "postgresql" else ""
    sql = f"UPDATE {table} SET data = %s{cast}, updated_at = %s WHERE id = %s AND data <> %s{cast}"  # noqa: S608
    rows = [(text, now, pk, text) for pk, draft in pairs if (text := draft.data_text or dump(draft.data))]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(sql, rows)
