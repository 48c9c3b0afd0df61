"""How an export run is worked on, and how the outbox of a target is delivered between runs. Knows no queue."""

import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Sequence

from django.db import transaction

from config.crypto import DecryptionFailed
from storages import closing, deliver, outbox, status
from storages.alive import kept_alive
from storages.base import ExportStorage
from storages.client import Client
from storages.errors import BadCredentials, StorageError
from storages.outbox import Due
from storages.runs import ExportIssue, ExportRun
from storages.sync.push import Pusher
from users.models import User

log = logging.getLogger(__name__)
TRIES_PER_RUN = 3  # times a run tries an object before it reports it; the outbox goes on trying
LEFT = "the object has another name now, and what lies under this one stays, since can_delete_objects is off; delete it yourself"
AT_ONCE = 32 * 1024**2  # bytes of one claim, if all of its objects were as large as the largest one seen


def begin_retry(storage: ExportStorage, user: User | None, trigger: str, subjects: Collection[int] = ()) -> ExportRun | None:
    """A queued run over what failed before (or ``subjects`` of it), due from now on; None if one is queued or running."""
    with transaction.atomic():
        run = status.begin(storage, user=user, trigger=trigger, kind=ExportRun.Kind.RETRY)
        if run is not None:
            status.expect(run, outbox.record_failed(run, subjects))
        return run


def work(run: ExportRun, lease: str) -> None:
    """Makes everything due (of a retry it is), then delivers until none of it is left. Raises LeaseLost, StorageError."""
    storage = run.storage.concrete()
    client = storage.client()
    if run.kind == ExportRun.Kind.SYNC:
        with transaction.atomic():
            status.expect(run, outbox.record_all(run))
            status.advance(run, lease)  # last: a heartbeat must not have to wait for all of them
    courier = Courier(storage, client, lease)
    with courier.pusher:
        while run.outbox.exists():
            if not courier.carry(run, lambda: status.beat(run, lease)):
                time.sleep(0.5)  # the rest waits for its next try, or another worker has it
                status.beat(run, lease)


def empty_outbox(target: ExportStorage) -> None:
    """Delivers what is due for one target; failures are tried again later, for as long as it takes."""
    token = uuid.uuid4().hex
    try:
        storage = target.concrete()
        client = storage.client()
    except (StorageError, DecryptionFailed) as error:
        log.warning("target %s cannot be written to: %s", target.pk, error)
        outbox.postpone(outbox.claim(target, token))
        return
    courier = Courier(storage, client, token)
    with kept_alive(lambda: outbox.renew(token)), courier.pusher:
        try:
            while courier.carry():
                pass
        except StorageError as error:  # the others would fail alike; the scheduler comes back
            log.warning("target %s cannot be written to: %s", storage, error)
    closing.close_done()


class Courier:
    """Carries claimed rows of one target, and tells the runs on whose behalf they are carried."""

    def __init__(self, storage: ExportStorage, client: Client, token: str) -> None:
        self.storage, self.token, self.pusher, self.largest = storage, token, Pusher(client), 0

    def carry(self, run: ExportRun | None = None, prove: Callable[[], object] = lambda: None) -> int:
        """One chunk; how many rows that were. ``prove`` raises when nobody wants us to go on. Raises BadCredentials.

        An object that ``run`` is concerned with is reported when it failed often enough; the outbox goes on trying.
        """
        self._follow()
        items = outbox.claim(self.storage, self.token, max(min(outbox.CHUNK, AT_ONCE // max(self.largest, 1)), 1))
        if not items:
            return 0
        try:
            done = deliver.deliver_chunk(self.storage, self.pusher, items, only_new=bool(run and run.only_new))
        except StorageError:
            outbox.postpone(items, keep_run=False)
            raise
        self.largest = max(self.largest, done.size)
        refused = next((error for _, error in done.failed if isinstance(error, BadCredentials)), None)
        reported = [pair for pair in done.failed if not refused and _hopeless(*pair)]
        with transaction.atomic():
            _count(done, reported)
            outbox.postpone([item for item, _ in reported], keep_run=False)
            outbox.postpone([pair[0] for pair in done.failed if pair not in reported], keep_run=not refused)
        if refused:
            raise refused
        if done.left:
            log.warning(
                "target %s: %s objects have new names, the old ones stay: %s", self.storage, len(done.left), done.left[0][1]
            )
        if done.failed:
            log.warning("target %s: %s objects wait for another try: %s", self.storage, len(done.failed), done.failed[0][1])
        prove()
        return len(items)

    def _follow(self) -> None:
        """Takes up settings that were changed meanwhile: what is written from now on is to lie where they say."""
        row = ExportStorage.objects.filter(pk=self.storage.pk)
        if row.exclude(revision=self.storage.revision).exists():
            self.storage = row.get().concrete()
            self.pusher.client = self.storage.client()


def _hopeless(item: Due, error: StorageError) -> bool:
    """Whether the run that wants the object has waited long enough for it."""
    return item.run_id is not None and (item.attempts + 1 >= TRIES_PER_RUN or not error.retryable)


def _count(done: deliver.Delivery, reported: Sequence[tuple[Due, StorageError]]) -> None:
    """Adds what became of the rows to the counters of their runs, also of one that was cancelled meanwhile."""
    written, unchanged = (Counter(item.run_id for item in items) for items in (done.written, done.unchanged))
    failed = Counter(item.run_id for item, _ in reported)
    for run_id in {*written, *unchanged, *failed} - {None}:
        new, old, lost = written[run_id], unchanged[run_id], failed[run_id]
        status.count(ExportRun, run_id, listed=new + old + lost, created=new, existed=old, failed=lost)
    issues = [ExportIssue(run_id=i.run_id, key=str(i.subject), code=error.code, message=str(error)) for i, error in reported]
    issues += [ExportIssue(run_id=i.run_id, key=key, code="left_behind", message=LEFT) for i, key in done.left if i.run_id]
    ExportIssue.objects.bulk_create(issues)
