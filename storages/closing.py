"""Targets whose project was deleted: they stay, seen by nobody, until the objects they wrote are deleted, if they may do that."""

from django.db import transaction
from django.db.models import QuerySet

from storages import outbox, traces
from storages.base import ExportStorage
from storages.fields import secret_names

UNUSED = {"synchronizable": False, "sync_schedule": "", "next_sync": None, "run": None}


def begin(targets: QuerySet[ExportStorage]) -> list[int]:
    """Deletes the targets of a project that is being deleted; returns those that have objects to delete first."""
    for target in targets.defer(*secret_names(ExportStorage)).select_related("project").order_by("id"):
        traces.keep(target)
    for pk in targets.filter(can_delete_objects=True).values_list("id", flat=True):
        outbox.record_written(pk)  # also what it wrote in a form that it has no more
    staying = targets.filter(can_delete_objects=True, outbox__isnull=False).distinct()
    kept = list(staying.values_list("id", "project_id"))
    for pk, project_id in kept:
        ExportStorage.objects.filter(pk=pk).update(project=None, former_project=project_id, **UNUSED)
    targets.delete()
    return [pk for pk, _ in kept]


def close_done() -> None:
    """Deletes the closing targets that have nothing left to do; by now a worker may have died, or may not know of the closing."""
    done = ExportStorage.objects.filter(project=None, former_project__isnull=False, outbox__isnull=True)
    for pk in list(done.order_by().values_list("id", flat=True)):
        with transaction.atomic():  # workers and the scheduler may come at the same time
            target = ExportStorage.objects.filter(pk=pk)
            if target.select_for_update().values_list("id").first():
                target.delete()
