"""Carries claimed rows of one target, chunk by chunk, and tells the runs on whose behalf they are carried. Knows no queue."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence

from django.db import transaction

from storages import deliver, outbox, status
from storages.base import ExportStorage
from storages.client import Client
from storages.deliver import Delivery
from storages.errors import BadCredentials, StorageError
from storages.keys import Moved
from storages.outbox import Due
from storages.reports import LIMIT
from storages.runs import ExportIssue, ExportRun
from storages.sync.push import Pusher

log = logging.getLogger(__name__)
TRIES_PER_RUN = 3  # times a run tries an object before it reports it; the outbox goes on trying
GIVE_UP = 3  # chunks in a row of which nothing could be written, after which a run does not try those it has not tried yet
LEFT = "the object has another name now, and what lies under this one stays, since can_delete_objects is off; delete it yourself"
FIRST, GROWTH = 8, 4  # rows of the first chunk, whose size nobody knows yet; how much more the next one may have
AT_ONCE = 32 * 1024**2  # bytes of one claim, if all of its objects were as large as the largest one seen


class Courier:
    """Holds the claims named ``token`` on rows of one target."""

    def __init__(self, storage: ExportStorage, client: Client, token: str) -> None:
        self.storage, self.token, self.pusher = storage, token, Pusher(client)
        self.largest, self.most, self.in_vain, self.woken = 0, FIRST, 0, False

    def carry(self, run: ExportRun | None = None, prove: Callable[[], object] = lambda: None) -> int:
        """One chunk; how many rows that were. ``prove`` raises when nobody wants us to go on.

        An object that ``run`` is concerned with is reported when it failed often enough; the outbox goes on trying.
        Raises the StorageError with which the others would fail, too: BadCredentials, or what all fail with for a while.
        """
        self._follow()
        items = outbox.claim(self.storage, self.token, max(min(outbox.CHUNK, self.most, AT_ONCE // max(self.largest, 1)), 1))
        if not items:
            return 0
        try:
            done = deliver.deliver_chunk(self.storage, self.pusher, items, only_new=bool(run and run.only_new))
        except Moved:
            outbox.release(items)
            return len(items)
        except StorageError:
            outbox.postpone(items, keep_run=run is None)
            raise
        self.most, self.largest = min(self.most * GROWTH, outbox.CHUNK), max(self.largest, done.size)
        refused = next((error for _, error in done.failed if isinstance(error, BadCredentials)), None)
        self._account(done, run, refused)
        if refused:
            if run is None:
                outbox.rest(self.storage)
            raise refused
        self._tell(done)
        self._despair(done, run)
        prove()
        return len(items)

    def _account(self, done: Delivery, run: ExportRun | None, refused: StorageError | None) -> None:
        """Settles what was done and counts it, all at once: whoever dies here has done nothing, and it is done again."""
        reported = [pair for pair in done.failed if not refused and _hopeless(*pair)]
        others = [pair[0] for pair in done.failed if pair not in reported]
        requests, self.pusher.client.meter.requests = self.pusher.client.meter.requests, 0
        with transaction.atomic():
            outbox.settle([*done.written, *done.unchanged])
            outbox.postpone([item for item, _ in reported], keep_run=False)
            outbox.postpone(others, keep_run=not refused or run is None)
            _count(done, reported)
            if run is not None:
                status.count(ExportRun, run.pk, requests=requests, bytes=done.bytes)

    def _tell(self, done: Delivery) -> None:
        if done.left:
            first = done.left[0][1]
            log.warning("target %s: %s objects have new names, the old ones stay: %s", self.storage, len(done.left), first)
        if done.failed:
            first = done.failed[0][1]
            log.warning("target %s: %s objects wait for another try: %s", self.storage, len(done.failed), first)

    def _despair(self, done: Delivery, run: ExportRun | None) -> None:
        """Raises what a target fails with that has not taken anything for a while; others shall have the worker."""
        if done.written or done.unchanged:
            if not self.woken:
                outbox.wake(self.storage.pk)
            self.in_vain, self.woken = 0, True
        elif all(error.retryable for _, error in done.failed):
            self.in_vain += 1
            if run is None:
                outbox.rest(self.storage)
                raise done.failed[0][1]
            if self.in_vain >= GIVE_UP and run.outbox.filter(attempts=0).exists():
                raise done.failed[0][1]

    def _follow(self) -> None:
        """Takes up settings that were changed meanwhile: what is written from now on is to lie where they say."""
        row = ExportStorage.objects.filter(pk=self.storage.pk)
        if row.exclude(revision=self.storage.revision).exists():
            self.storage = row.get().concrete()
            self.pusher.client = self.storage.client()


def _hopeless(item: Due, error: StorageError) -> bool:
    """Whether the run that wants the object has waited long enough for it."""
    return item.run_id is not None and (item.attempts + 1 >= TRIES_PER_RUN or not error.retryable)


def _count(done: Delivery, reported: Sequence[tuple[Due, StorageError]]) -> None:
    """Adds what became of the rows to the counters of their runs, also of one that has ended meanwhile."""
    written, unchanged = (Counter(item.run_id for item in items) for items in (done.written, done.unchanged))
    failed = Counter(item.run_id for item, _ in reported)
    issues = [ExportIssue(run_id=i.run_id, key=str(i.subject), code=error.code, message=str(error)) for i, error in reported]
    issues += [ExportIssue(run_id=i.run_id, key=key, code="left_behind", message=LEFT) for i, key in done.left if i.run_id]
    for run_id in {*written, *unchanged, *failed} - {None}:
        new, old, lost = written[run_id], unchanged[run_id], failed[run_id]
        status.count(ExportRun, run_id, listed=new + old + lost, created=new, existed=old, failed=lost)
        if told := [issue for issue in issues if issue.run_id == run_id]:
            room = max(LIMIT - ExportIssue.objects.filter(run_id=run_id).count(), 0)
            ExportIssue.objects.bulk_create(told[:room])
