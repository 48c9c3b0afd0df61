"""What storages do when tasks, annotations or projects change; always inside the transaction of the change."""

from typing import Any

from django.db import transaction
from django.dispatch import receiver

from storages import jobs, outbox, status
from storages.base import ExportStorage, ImportStorage
from storages.links import ImportLink
from storages.media import resolve  # noqa: F401  (registers the resolver of task pages)
from storages.runs import ExportRun, ImportRun
from tasks import signals


@receiver(signals.annotations_changed)
def mark_for_export(sender: Any, project_id: int, pairs: list[tuple[int, int]], **_: Any) -> None:
    """The objects of these annotations are out of date in every target."""
    if targets := outbox.record(project_id, pairs):
        transaction.on_commit(lambda: jobs.request_delivery(targets))


@receiver(signals.tasks_deleting)
def forget_links(sender: Any, task_ids: list[int], **_: Any) -> None:
    """A deleted task's row counts as new at the next sync."""
    ImportLink.objects.filter(task_id__in=task_ids)._raw_delete("default")


@receiver(signals.project_closing)
def end_runs(sender: Any, project_id: int, **_: Any) -> None:
    """No sync adds tasks while they are being deleted."""
    for runs in (ImportRun, ExportRun):
        status.end_all(runs.objects.filter(storage__project_id=project_id), "the project was deleted")


@receiver(signals.project_deleting)
def drop_storages(sender: Any, project_id: int, **_: Any) -> None:
    """Storages go with their project; objects in the targets stay."""
    for model in (ImportStorage, ExportStorage):
        model.objects.filter(project_id=project_id).delete()
