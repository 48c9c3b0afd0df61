"""Targets whose project was deleted: they stay, seen by nobody, until the objects they wrote are deleted, if they may do that."""

from django.db.models import QuerySet

from storages.base import ExportStorage
from storages.links import OutboxItem

UNUSED = {"synchronizable": False, "sync_schedule": "", "next_sync": None, "run": None}


def begin(targets: QuerySet[ExportStorage]) -> list[int]:
    """Deletes the targets of a project that is being deleted; returns those that have objects to delete first."""
    staying = targets.filter(can_delete_objects=True, outbox__isnull=False).distinct()
    kept = list(staying.values_list("id", "project_id"))
    for pk, project_id in kept:
        ExportStorage.objects.filter(pk=pk).update(project=None, former_project=project_id, **UNUSED)
    targets.delete()
    return [pk for pk, _ in kept]


def close_if_done(target: ExportStorage) -> None:
    """Deletes a closing target that has nothing left to do."""
    if target.former_project is not None and not OutboxItem.objects.filter(storage_id=target.pk).exists():
        ExportStorage.objects.filter(pk=target.pk).delete()
