"""How an import run is begun, worked on by any number of workers, and ended. Knows no queue."""

import logging
import time
from collections.abc import Callable, Collection

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from config.crypto import DecryptionFailed
from storages import shards, status
from storages.alive import kept_alive
from storages.base import ImportStorage
from storages.client import Client
from storages.errors import ConfigInvalid, StorageError
from storages.known import present
from storages.links import ImportLink, ObjectState, key_digest
from storages.policies import RenamedPolicy
from storages.runs import ImportRun, State
from storages.shards import ParkedObject, Seen, Shard, Stage
from storages.steps import STEPS
from storages.sync.pace import Pace, Stopped
from users.models import User

log = logging.getLogger(__name__)
DATABASE_PATIENCE = 600.0  # seconds that a worker waits for a database that went away
LONGEST_PAUSE = 10.0  # seconds between two tries to reach it


def begin(
    storage: ImportStorage, user: User | None, trigger: str, *, retry: bool = False, keys: Collection[str] = ()
) -> ImportRun | None:
    """A queued run with its pieces of work; None if one is queued or running already.

    A retry takes all objects that failed, or those of them that ``keys`` names (some hundred at most).
    """
    with transaction.atomic():
        scope, previous = _scope(storage), _previous(storage)
        kind = {"kind": ImportRun.Kind.RETRY, "total": failed(storage.pk, keys).count()} if retry else {}
        resumed = previous if not retry and _resumable(storage, previous, scope) else None
        model = ImportLink if storage.use_blob_urls else ObjectState
        watermark = model.objects.order_by("-id").values_list("id", flat=True).first() or 0
        known = watermark and model.objects.filter(storage_id=storage.pk).exists()
        kind |= {"resumes": resumed, "scope": scope, "watermark": watermark if known else 0}
        run = status.begin(storage, user=user, trigger=trigger, **kind)
        if run is not None:
            shards.lay_out(run, _stages(storage, run), resumed)
            if retry:
                _note(run, keys)
            for leftover in (Seen, ParkedObject, *([] if retry else [Shard])):
                leftover.objects.filter(run__storage_id=storage.pk).exclude(run=run).delete()
        return run


def _scope(storage: ImportStorage) -> str:
    try:
        return storage.concrete().scope()
    except DecryptionFailed:
        return ""  # the run will say so


def failed(storage_id: int, keys: Collection[str] = ()) -> QuerySet[ObjectState]:
    """The objects that failed when they were last read and were not dealt with since; with ``keys`` only those."""
    states = present(ObjectState, storage_id, [key_digest(key) for key in keys]) if keys else ObjectState.objects
    return states.filter(storage_id=storage_id, state=ObjectState.Progress.FAILED)


def _note(run: ImportRun, keys: Collection[str]) -> None:
    """Sets the failed objects aside for the run: their states change while it works on them."""
    digests = [key_digest(key) for key in keys]
    chosen = f"AND digest IN ({', '.join(['%s'] * len(digests))}) " if digests else ""
    parked, states = (connection.ops.quote_name(model._meta.db_table) for model in (ParkedObject, ObjectState))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {parked} (run_id, shard_id, key, size, modified, etag) "  # noqa: S608
            f"SELECT %s, 0, key, size, modified, etag FROM {states} WHERE storage_id = %s AND state = %s {chosen}ORDER BY id",
            [run.pk, run.storage_id, ObjectState.Progress.FAILED.value, *digests],
        )


def _previous(storage: ImportStorage) -> ImportRun | None:
    """The newest sync that listed anything; those that could not even start do not count."""
    runs = ImportRun.objects.filter(storage_id=storage.pk, kind=ImportRun.Kind.SYNC)
    ended_well = Q(state__in=(State.COMPLETED, State.COMPLETED_WITH_ERRORS))
    return runs.filter(ended_well | Exists(Shard.objects.filter(run=OuterRef("pk")))).first()


def _resumable(storage: ImportStorage, previous: ImportRun | None, scope: str) -> bool:
    """Whether a new run may begin where ``previous`` stopped: only a listing in the order of keys can be entered anywhere."""
    if previous is None or previous.state not in (State.FAILED, State.CANCELLED) or previous.scope != scope:
        return False
    begun = previous.shards.filter(stage=Stage.LIST).exclude(state=Shard.State.DONE).exclude(cursor="").exists()
    try:
        return begun and storage.concrete().client().capabilities.ranges
    except (StorageError, DecryptionFailed):
        return False  # the run will say so


def _stages(storage: ImportStorage, run: ImportRun) -> list[Stage]:
    if run.kind == ImportRun.Kind.RETRY:
        return [Stage.RETRY]
    if not run.watermark:
        return [Stage.LIST]
    follow = storage.renamed_policy == RenamedPolicy.FOLLOW
    return [Stage.LIST, *([Stage.RENAME, Stage.PARKED] if follow else []), Stage.SWEEP]


def work(run: ImportRun, more: Callable[[], None]) -> None:
    """Takes pieces of the run until there are none left, and ends the run if it was the last worker.

    ``more`` is called when other workers have something to do. Raises LeaseLost, StorageError (the run cannot go on).
    """
    storage = run.storage = run.storage.concrete()
    if run.scope != storage.scope():
        raise ConfigInvalid("the storage's settings were changed while it was synced; sync again")
    client = storage.client()
    while (shard := shards.take(run, storage.sync_workers)) is not None:
        shard.run = run
        more()
        _hold(shard, client, more)
    conclude(run)


def conclude(run: ImportRun) -> None:
    """Ends the run if nothing of it is left to do. Raises LeaseLost if it has ended."""
    states = set(Shard.objects.filter(run=run).values_list("state", flat=True))
    if states - {Shard.State.DONE}:
        return
    with transaction.atomic():
        _end(run, states)
        for leftover in (Seen, ParkedObject, Shard):
            leftover.objects.filter(run=run).delete()


def _end(run: ImportRun, states: set[str]) -> None:
    run.refresh_from_db(fields=["listed", "settled"])
    if not states:
        status.fail(run, code="internal", message="the run has no pieces of work; sync again")
    elif run.listed != run.settled:
        message = f"{run.listed - run.settled} of {run.listed} listed objects are unaccounted for; sync again, and report this"
        status.fail(run, code="unaccounted", message=message)
    else:
        status.complete(run)


def _hold(shard: Shard, client: Client, more: Callable[[], None]) -> None:
    """Works on a piece to its end; a database that goes away is waited for, and the piece goes on behind its cursor."""
    until, pause = time.monotonic() + DATABASE_PATIENCE, 0.5
    with kept_alive(lambda: shards.beat(shard)) as lost:
        while True:
            cursor = shard.cursor
            try:
                return STEPS[shard.stage](shard, client, Pace(lost), more)
            except Stopped:
                raise status.LeaseLost from None
            except StorageError:
                if not shards.owned(shard).exists():  # it is for the present holder to judge
                    raise status.LeaseLost from None
                raise
            except (OperationalError, InterfaceError) as error:
                if time.monotonic() > until:
                    raise
                log.warning("run %s waits for the database: %s", shard.run_id, type(error).__name__)
            connection.close()
            lost.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            shard = _reloaded(shard)
            if shard.state == Shard.State.DONE:  # committed, only the answer was lost
                return None
            if shard.cursor != cursor:
                until, pause = time.monotonic() + DATABASE_PATIENCE, 0.5


def _reloaded(shard: Shard) -> Shard:
    """The piece as it was committed last, or as it was if the database is still away. Raises LeaseLost."""
    try:
        fresh = Shard.objects.filter(pk=shard.pk).first()
    except (OperationalError, InterfaceError):
        return shard
    if fresh is None or (fresh.lease != shard.lease and fresh.state != Shard.State.DONE):
        raise status.LeaseLost
    fresh.run = shard.run
    return fresh
