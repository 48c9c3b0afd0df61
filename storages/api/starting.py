"""How a sync, retry or snapshot is asked for and how a storage is given up, whoever asks; knows no request and no answer."""

from collections.abc import Collection

from django.db import transaction
from django.db.models import QuerySet

from projects.access import key_of
from storages import importing, jobs, outbox, traces
from storages.base import ExportStorage, ImportStorage, Storage
from storages.errors import StorageError, Throttled
from storages.runs import Run
from storages.status import end_all, runs_of
from users.models import User


def start_sync(storage: Storage, user: User | None, trigger: str = "api", *, only_new: bool = False) -> Run | None:
    """Checks the connection and queues a sync; None if one is queued or running already. ``only_new``: of targets.

    Raises StorageError; a failed run of the storage says the same then.
    """
    if storage.run and storage.run.active:
        return None
    try:
        reach(storage)
    except StorageError as error:
        jobs.record_failure(storage, user, error, trigger)
        raise
    if isinstance(storage, ImportStorage):
        return jobs.start_import(storage, user, trigger)
    return jobs.start_export(storage, user, trigger, only_new=only_new)


def failed(storage: Storage, keys: Collection[str] = ()) -> QuerySet:
    """What a retry would try again, or ``keys`` (as its issues name the objects) of it."""
    if isinstance(storage, ImportStorage):
        return importing.failed(storage.pk, keys)
    return outbox.failed(storage.pk, [key_of(key) for key in keys])


def start_retry(storage: Storage, user: User | None, trigger: str = "api", *, keys: Collection[str] = ()) -> Run | None:
    """Queues a retry of what failed, or ``keys`` of it; None if a run is queued or running already. Raises StorageError."""
    reach(storage)
    if isinstance(storage, ImportStorage):
        return jobs.start_retry(storage, user, trigger, keys=keys)
    return jobs.start_export_retry(storage, user, trigger, subjects=[key_of(key) for key in keys])


def start_snapshot(storage: ExportStorage, user: User | None, trigger: str = "api", *, form: str, name: str = "") -> Run | None:
    """Queues a snapshot; None if a run is queued or under way already. Raises StorageError."""
    reach(storage)
    return jobs.start_snapshot(storage, user, trigger, form=form, name=name)


def reach(storage: Storage) -> None:
    """The check before a run. Raises StorageError, but not for a storage that only asks to slow down."""
    try:
        storage.reach()
    except Throttled:
        pass  # the container is there, and the job has the patience that this check has not


def delete(storage: Storage) -> None:
    """Ends what the storage is doing and forgets it; tasks and objects stay, known as exports if it wrote them."""
    end_all(runs_of(storage).objects.filter(storage_id=storage.pk), "the storage was deleted")
    with transaction.atomic():
        if isinstance(storage, ExportStorage):
            traces.keep(storage)
        storage.delete()
