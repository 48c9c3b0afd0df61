"""What storages do when tasks, annotations or projects change; always inside the transaction of the change."""

from collections import defaultdict
from typing import Any

from django.db import transaction
from django.dispatch import receiver

from storages import closing, jobs, outbox, status
from storages.base import ExportStorage, ImportStorage
from storages.known import present
from storages.links import ImportLink, ObjectState
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
    """A deleted task's object counts as new at the next sync; a file with many tasks, when the last of them is gone."""
    links = ImportLink.objects.filter(task_id__in=task_ids)
    objects: dict[int, set[bytes]] = defaultdict(set)
    for storage_id, digest in links.values_list("storage_id", "digest").distinct():
        objects[storage_id].add(bytes(digest))
    links._raw_delete("default")
    for storage_id, digests in objects.items():
        kept = {bytes(digest) for digest in present(ImportLink, storage_id, digests).values_list("digest", flat=True)}
        if lost := digests - kept:
            present(ObjectState, storage_id, lost).delete()


@receiver(signals.project_closing)
def end_runs(sender: Any, project_id: int, **_: Any) -> None:
    """No sync adds tasks while they are being deleted."""
    for runs in (ImportRun, ExportRun):
        status.end_all(runs.objects.filter(storage__project_id=project_id), "the project was deleted")


@receiver(signals.project_deleting)
def drop_storages(sender: Any, project_id: int, **_: Any) -> None:
    """Storages go with their project; targets that may delete what they wrote do that first."""
    ImportStorage.objects.filter(project_id=project_id).delete()
    if targets := closing.begin(ExportStorage.objects.filter(project_id=project_id)):
        transaction.on_commit(lambda: jobs.request_delivery(targets))
