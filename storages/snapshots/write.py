"""How a snapshot run is begun and worked on: shards first, the manifest last, and nothing half-done is left to be seen.

A snapshot is the manifest: readers look for it alone. Knows no queue.
"""

import time
from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from storages import status
from storages.base import ExportStorage
from storages.client import Client
from storages.errors import StorageError
from storages.runs import ACTIVE, ExportIssue, ExportRun, State
from storages.snapshots import manifest, places
from storages.snapshots.records import Opening, Record, reading
from storages.snapshots.shards import SHAPES, Counted
from storages.sync.pace import Pace
from users.models import User

OFTEN = 0.5  # seconds between two looks whether the run is still ours
WHOLE = "manifest"  # in ``cursor``: nothing but the manifest may be missing, so that nobody else may tidy up
LEFTOVER = (
    "the snapshot was not finished; up to {left} shards are left in this folder, which has no manifest, so that no reader takes "
    "it for a snapshot. Delete it, or set can_delete_objects: the next snapshot then removes it"
)
MAYBE = (
    "writing the manifest, the last object of the snapshot, did not succeed for all we know, but it may be there: if this "
    "folder has a manifest.json the snapshot is whole and readers see it. Keep it or delete it; nothing here removes it by itself"
)


def begin(storage: ExportStorage, user: User | None, trigger: str, *, form: str, name: str = "") -> ExportRun | None:
    """A queued run that will write a snapshot; None if a run is queued or under way. ``form``: one of places.FORMATS."""
    with transaction.atomic():
        run = status.begin(storage, user=user, trigger=trigger, kind=ExportRun.Kind.SNAPSHOT, format=form)
        if run is not None:
            run.place = places.folder(storage.project_id, timezone.now(), run.pk, name)
            run.save(update_fields=["place"])
    return run


def work(run: ExportRun, lease: str) -> None:
    """Writes the snapshot and ends the run; a task that could not be read back is left out and counted as failed.

    Raises LeaseLost, StorageError; then it is not there, at most some of its shards, or an issue says that it may be.
    """
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
        self.begun, self.marked, self.complete = 0, False, False  # ``marked``: the manifest may be there
        self.looked, self.listed = time.monotonic(), 0  # when progress was told last; tasks read since
        self.left_out = 0  # tasks

    def carry_out(self) -> None:
        with reading(self.run.storage.project_id, self.shape.encode) as (opening, chunks):
            ExportRun.objects.filter(pk=self.run.pk, lease=self.lease).update(total=opening.total)
            shard = Counted(self.shape)
            for chunk in chunks:
                self._leave_out([record for record in chunk if record.fault])
                for record in chunk:
                    if record.fault:
                        continue
                    if not shard.fits(record):
                        self._write(shard)
                        shard = Counted(self.shape)
                    shard.add(record)
                self._tell(len(chunk))
        if shard.tasks:
            self._write(shard)
        self._publish(opening)

    def _leave_out(self, records: Sequence[Record]) -> None:
        """Says which tasks are not in the snapshot, and why: it must not pass for whole. Raises LeaseLost."""
        if records:
            faults = [(f"task {record.task}", *record.fault) for record in records if record.fault]
            with transaction.atomic():
                status.advance(self.run, self.lease, failed=len(records))
                ExportIssue.objects.bulk_create(ExportIssue(run=self.run, key=k, code=c, message=m) for k, c, m in faults)
            self.left_out += len(records)

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
        """The manifest. From here on the folder is nobody's to tidy up, and with the manifest in it the run is completed."""
        status.advance(self.run, self.lease, listed=self.listed)
        body = manifest.compose(self.run, opening, self.entries, self.left_out)
        self._mark(WHOLE)
        self.marked = True
        self._put(places.MANIFEST, body, "application/json")
        self.complete = True
        status.count(ExportRun, self.run.pk, bytes=len(body), requests=1)
        status.complete(self.run, self.lease, too_late=True)  # readers see it, whoever ended the run meanwhile

    def _mark(self, cursor: str) -> None:
        """Raises LeaseLost; one statement, so that a run that has ended is not marked."""
        mine = ExportRun.objects.filter(pk=self.run.pk, lease=self.lease, state=State.IN_PROGRESS)
        if not mine.update(cursor=cursor, heartbeat=timezone.now()):
            raise status.LeaseLost

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
        left = WHOLE if self.marked else str(self.begun)
        if may_delete:
            left = _remove(self.client, self.run, self.begun, left)
        ExportRun.objects.filter(pk=self.run.pk).update(cursor=left)
        if left != "0":
            message = MAYBE if left == WHOLE else LEFTOVER.format(left=left)
            ExportIssue.objects.create(run=self.run, key=self.run.place, code="leftover", message=message)


def _remove(client: Client, run: ExportRun, shards: int, left: str) -> str:
    """Deletes the manifest, then the shards; what the cursor has to say then, ``left`` if the manifest may still be there."""
    names = [places.shard_name(number, run.format) for number in range(shards)]
    try:
        if shards or left == WHOLE:
            client.delete(f"{run.place}{places.MANIFEST}")
        left = str(shards)
        for name in names:
            client.delete(f"{run.place}{name}")
    except StorageError:
        return left
    return "0"


def _remove_leftovers(run: ExportRun, client: Client) -> None:
    """What earlier snapshots of this target that came to nothing have left, if their workers could not remove it."""
    ended = ExportRun.objects.filter(storage_id=run.storage_id, kind=ExportRun.Kind.SNAPSHOT).exclude(state__in=ACTIVE)
    unfinished = ended.exclude(cursor__in=("", "0", WHOLE)).filter(place__startswith=client.root)
    for dead in unfinished:
        left = _remove(client, dead, int(dead.cursor), dead.cursor)
        ExportRun.objects.filter(pk=dead.pk).update(cursor=left)
