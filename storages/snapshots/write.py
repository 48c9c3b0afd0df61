"""How a snapshot run is begun and worked on: shards first, the manifest last, and nothing half-done is left to be seen.

A snapshot is the manifest: readers look for it alone. Knows no queue.
"""

import time

from django.db import transaction
from django.utils import timezone

from storages import status
from storages.base import ExportStorage
from storages.client import Client
from storages.errors import StorageError
from storages.runs import ACTIVE, ExportIssue, ExportRun
from storages.snapshots import manifest, places
from storages.snapshots.records import Opening, reading
from storages.snapshots.shards import SHAPES, Counted
from storages.sync.pace import Pace
from users.models import User

OFTEN = 0.5  # seconds between two looks whether the run is still ours
WHOLE = "manifest"  # in ``cursor``: nothing but the manifest may be missing, so that nobody else may tidy up


def begin(storage: ExportStorage, user: User | None, trigger: str, *, form: str, name: str = "") -> ExportRun | None:
    """A queued run that will write a snapshot; None if a run is queued or under way. ``form``: one of places.FORMATS."""
    with transaction.atomic():
        run = status.begin(storage, user=user, trigger=trigger, kind=ExportRun.Kind.SNAPSHOT, format=form)
        if run is not None:
            run.place = places.folder(storage.project_id, timezone.now(), run.pk, name)
            run.save(update_fields=["place"])
    return run


def work(run: ExportRun, lease: str) -> None:
    """Writes the snapshot. Raises LeaseLost, StorageError; then it is not there, at most some of its shards."""
    storage = run.storage.concrete()
    client = storage.client()
    run.place = f"{client.root}{run.place}"
    ExportRun.objects.filter(pk=run.pk, lease=lease).update(place=run.place)
    if storage.can_delete_objects:
        _remove_leftovers(run, client)
    writing = _Writing(run, lease, client)
    try:
        writing.carry_out()
    finally:
        if not writing.complete:
            writing.undo(may_delete=bool(storage.can_delete_objects))


class _Writing:
    """One snapshot on its way. ``cursor`` of the run counts the shards that were begun."""

    def __init__(self, run: ExportRun, lease: str, client: Client) -> None:
        self.run, self.lease, self.client, self.pace = run, lease, client, Pace()
        self.shape = SHAPES[run.format]
        self.entries: list[dict] = []
        self.begun, self.complete = 0, False
        self.looked, self.listed = time.monotonic(), 0  # when progress was told last; tasks read since

    def carry_out(self) -> None:
        with reading(self.run.storage.project_id, self.shape.encode) as (opening, chunks):
            ExportRun.objects.filter(pk=self.run.pk, lease=self.lease).update(total=opening.total)
            shard = Counted(self.shape)
            for chunk in chunks:
                for record in chunk:
                    if not shard.fits(record):
                        self._write(shard)
                        shard = Counted(self.shape)
                    shard.add(record)
                self._tell(len(chunk))
        if shard.tasks:
            self._write(shard)
        self._publish(opening)

    def _tell(self, tasks: int) -> None:
        """Progress, and whether to go on. Raises LeaseLost."""
        self.listed += tasks
        if time.monotonic() - self.looked > OFTEN:
            status.advance(self.run, self.lease, listed=self.listed)
            self.looked, self.listed = time.monotonic(), 0

    def _write(self, shard: Counted) -> None:
        """Says so before it writes, so that whoever tidies up after us knows what may be there."""
        body, entry = shard.close(places.shard_name(self.begun, self.run.format))
        self.begun += 1
        self._mark(str(self.begun))
        self._put(entry["name"], body, self.shape.content_type)
        self.entries.append(entry)
        status.advance(self.run, self.lease, created=entry["tasks"], bytes=entry["bytes"], requests=1)

    def _publish(self, opening: Opening) -> None:
        """The manifest. A run that was ended while it was written has none."""
        status.advance(self.run, self.lease, listed=self.listed)
        self._mark(WHOLE)
        body = manifest.compose(self.run, opening, self.entries)
        self._put(places.MANIFEST, body, "application/json")
        status.advance(self.run, self.lease, bytes=len(body), requests=1)
        self.complete = True

    def _mark(self, cursor: str) -> None:
        status.beat(self.run, self.lease)
        ExportRun.objects.filter(pk=self.run.pk, lease=self.lease).update(cursor=cursor)

    def _put(self, name: str, body: bytes, content_type: str) -> None:
        """Raises StorageError when the target refuses for good, LeaseLost."""
        failures = 0
        while True:
            self.pace.wait()
            try:
                self.client.write(f"{self.run.place}{name}", body, content_type)
            except StorageError as error:
                failures += 1
                if not self.pace.forgives(error, failures):
                    raise
                status.beat(self.run, self.lease)
            else:
                return self.pace.succeeded()

    def undo(self, *, may_delete: bool) -> None:
        """Removes what was written; where that is not allowed or fails, an issue tells what is left, unseen."""
        left = self.begun
        if may_delete:
            left = _remove(self.client, self.run, self.begun)
        ExportRun.objects.filter(pk=self.run.pk).update(cursor=str(left))
        if left:
            message = (
                f"the snapshot was not finished; up to {left} shards are left in this folder, which has no manifest, so that no "
                "reader takes it for a snapshot. Delete it, or set can_delete_objects: the next snapshot then removes it"
            )
            ExportIssue.objects.create(run=self.run, key=self.run.place, code="leftover", message=message)


def _remove(client: Client, run: ExportRun, shards: int) -> int:
    """Deletes the manifest, then the shards; how many shards may be left."""
    names = [places.MANIFEST, *(places.shard_name(number, run.format) for number in range(shards))]
    try:
        for name in names if shards else ():
            client.delete(f"{run.place}{name}")
    except StorageError:
        return shards
    return 0


def _remove_leftovers(run: ExportRun, client: Client) -> None:
    """What earlier snapshots of this target that came to nothing have left, if their workers could not remove it."""
    ended = ExportRun.objects.filter(storage_id=run.storage_id, kind=ExportRun.Kind.SNAPSHOT).exclude(state__in=ACTIVE)
    unfinished = ended.exclude(cursor__in=("", "0", WHOLE)).filter(place__startswith=client.root)
    for dead in unfinished:
        left = _remove(client, dead, int(dead.cursor))
        ExportRun.objects.filter(pk=dead.pk).update(cursor=str(left))
