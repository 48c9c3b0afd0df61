"""How a sync is asked for and how a storage is given up, whoever asks; knows no request and no answer."""

from storages import jobs
from storages.base import ImportStorage, Storage
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


def reach(storage: Storage) -> None:
    """The check before a run. Raises StorageError, but not for a storage that only asks to slow down."""
    try:
        storage.reach()
    except Throttled:
        pass  # the container is there, and the job has the patience that this check has not


def delete(storage: Storage) -> None:
    """Ends what the storage is doing and forgets it; tasks and objects stay."""
    end_all(runs_of(storage).objects.filter(storage_id=storage.pk), "the storage was deleted")
    storage.delete()
