"""Carries outbox rows to a target: builds the payloads in sets, writes or deletes the objects, keeps the links right."""

from collections.abc import Sequence

from django.conf import settings
from django.utils import timezone

from storages import outbox
from storages.base import ExportStorage
from storages.client import Client
from storages.errors import StorageError
from storages.links import ExportLink, Form, OutboxItem
from storages.sync.push import Write, digest, encode, push
from tasks.payloads import annotation_payloads, task_payloads


def key_name(form: str, subject: int) -> str:
    """The object's name below the prefix (behaviour.md §2.1)."""
    if form == Form.TASK and settings.FUTURE_SAVE_TASK_TO_STORAGE_JSON_EXT:
        return f"{subject}.json"
    return str(subject)


def deliver_chunk(storage: ExportStorage, client: Client, items: Sequence[OutboxItem]) -> list[tuple[OutboxItem, StorageError]]:
    """Brings the objects of claimed rows up to date; settled rows are gone, the failed ones are returned still claimed."""
    by_subject = {(item.form, item.subject): item for item in items}
    writes = {form: _writes(storage, client, form, [i for i in items if i.form == form]) for form in Form}
    done: list[OutboxItem] = []
    failed: list[tuple[OutboxItem, StorageError]] = []
    for form, wanted in writes.items():
        written: list[Write] = []
        for write, error in push(client, wanted):
            item = by_subject[form, write.subject]
            if error is None:
                done.append(item)
                written.append(write)
            else:
                failed.append((item, error))
        _relink(storage, form, written)
        subjects = {write.subject for write in wanted}
        done += [item for item in items if item.form == form and item.subject not in subjects]
    outbox.settle(done)
    return failed


def _writes(storage: ExportStorage, client: Client, form: str, items: Sequence[OutboxItem]) -> list[Write]:
    """What to do for each subject: write its payload; delete the object of one that is gone, if that is allowed."""
    subjects = [item.subject for item in items]
    if not subjects:
        return []
    if form == Form.TASK:
        payloads = {task_id: payload for task_id, payload in task_payloads(subjects) if payload["annotations"]}
    else:
        payloads = {annotation_id: payload for annotation_id, _, payload in annotation_payloads(subjects)}
    writes = [Write(pk, client.root + key_name(form, pk), encode(payload)) for pk, payload in payloads.items()]
    gone = [subject for subject in subjects if subject not in payloads]
    links = ExportLink.objects.filter(storage=storage, form=form, subject__in=gone)
    if storage.can_delete_objects:
        writes += [Write(link.subject, link.key, None) for link in links]
    else:
        links.delete()
    return writes


def _relink(storage: ExportStorage, form: str, written: Sequence[Write]) -> None:
    now = timezone.now()
    links = [
        ExportLink(storage_id=storage.pk, form=form, subject=w.subject, key=w.key, digest=digest(w.body), exported_at=now)
        for w in written
        if w.body is not None
    ]
    ExportLink.objects.bulk_create(
        links, update_conflicts=True, unique_fields=["storage", "form", "subject"], update_fields=["key", "digest", "exported_at"]
    )
    removed = [w.subject for w in written if w.body is None]
    ExportLink.objects.filter(storage_id=storage.pk, form=form, subject__in=removed).delete()
