"""Where work starts and ends: syncs and deliveries as RQ jobs that carry ids only, and the scheduler's round.

The one place that may catch everything: whatever a job dies of becomes the run's message, the details stay in the log.
"""

import logging
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from config.crypto import DecryptionFailed
from projects.label_config import first_data_key, parse
from storages import deliver, outbox, status
from storages.alive import kept_alive
from storages.base import ExportStorage, ImportStorage, Storage
from storages.errors import BadCredentials, Malformed, StorageError
from storages.links import OutboxItem
from storages.queueing import enqueue
from storages.runs import ExportIssue, ExportRun, ImportRun, Run
from storages.store import BatchStore
from storages.sync import engine
from storages.sync.patterns import matcher
from tasks.authors import Authors
from tasks.drafts import TaskDraft
from tasks.validation import RowInvalid, parse_row
from users.models import User

log = logging.getLogger(__name__)
TRIES_PER_RUN = 3  # times an export run tries an object before it reports it; the outbox goes on trying


def start_import(storage: ImportStorage, user: User | None = None, trigger: str = "api") -> ImportRun | None:
    """Queues a sync of the source and returns its run; None if one is queued or running already."""
    return _start(storage, user, trigger, "storages.jobs.run_import")


def start_export(
    storage: ExportStorage, user: User | None = None, trigger: str = "api", *, only_new: bool = False
) -> ExportRun | None:
    """Queues a sync of the target and returns its run; None if one is queued or running already."""
    return _start(storage, user, trigger, "storages.jobs.run_export", only_new=only_new)


def _start(storage: Storage, user: User | None, trigger: str, job: str, **options: bool) -> Run | None:
    run = status.begin(storage, user=user, trigger=trigger, **options)
    if run is not None:
        transaction.on_commit(lambda: enqueue("low", job, run.pk, run.job_id))
    return run


def record_failure(storage: Storage, user: User | None, error: StorageError) -> None:
    """Leaves a failed run behind for a sync that could not even start, unless one is under way."""
    run = status.begin(storage, user=user, trigger="api")
    if run is not None:
        status.fail(run, code=error.code, message=str(error))


def request_delivery(target_ids: list[int]) -> None:
    """Has the outbox of these targets delivered soon.

    The id changes with the minute: a job that died with its worker stays known to RQ for many, and must not stand in the way.
    """
    minute = int(time.time()) // 60
    for pk in target_ids:
        if not enqueue("default", "storages.jobs.deliver_outbox", pk, f"deliver-{pk}-{minute}"):
            return


def run_import(run_id: int) -> None:
    """The job of an import run."""
    if (held := _take(ImportRun, run_id)) is None:
        return
    run, lease = held
    with _kept(run, lease):
        storage = run.storage.concrete()
        client = storage.client()
        store = BatchStore(run, lease, whole_objects=storage.use_blob_urls)
        engine.run(client, store, _plan(storage, client.subject))


def _plan(storage: ImportStorage, subject: Callable[[str], str]) -> engine.Plan:
    project = storage.project
    data_key = first_data_key(project.label_config) or "$undefined$"
    authors, config = Authors(project.organization_id), parse(project.label_config)

    def task_of_row(value: object) -> TaskDraft:
        try:
            return parse_row(value, authors, config)
        except RowInvalid as error:
            raise Malformed(str(error)) from error

    return engine.Plan(
        recursive=storage.recursive,
        passes=matcher(storage.regex_filter, subject),
        whole_objects=storage.use_blob_urls,
        task_of_uri=lambda uri: TaskDraft({data_key: uri}),
        task_of_row=task_of_row,
        weight_of=lambda draft: len(draft.data_text),
    )


def run_export(run_id: int) -> None:
    """The job of an export run: everything becomes due, then the outbox is delivered until none of it is left."""
    if (held := _take(ExportRun, run_id)) is None:
        return
    run, lease = held
    with _kept(run, lease):
        storage = run.storage.concrete()
        client = storage.client()
        with transaction.atomic():
            status.advance(run, lease)
            total = outbox.record_all(run)
            ExportRun.objects.filter(pk=run.pk).update(total=total)
        while run.outbox.exists():
            if items := outbox.claim(storage, lease):
                _deliver(storage, client, items, run, lease)
            else:
                time.sleep(0.5)  # the rest waits for its next try, or another worker has it
        # objects that the delivery job wrote meanwhile were counted nowhere
        ExportRun.objects.filter(pk=run.pk, lease=lease).update(created=F("total") - F("failed"), listed=F("total"))


def deliver_outbox(storage_id: int) -> None:
    """The job that delivers what is due for one target; failures are tried again later, for as long as it takes."""
    target = ExportStorage.objects.filter(pk=storage_id).first()
    if target is None:
        OutboxItem.objects.filter(storage_id=storage_id).delete()
        return
    token = uuid.uuid4().hex
    try:
        storage = target.concrete()
        client = storage.client()
    except (StorageError, DecryptionFailed) as error:
        log.warning("target %s cannot be written to: %s", storage_id, error)
        outbox.postpone(outbox.claim(target, token), keep_run=True)
        return
    with kept_alive(lambda: outbox.renew(token)):
        while items := outbox.claim(storage, token):
            failed = deliver.deliver_chunk(storage, client, items)
            outbox.postpone([item for item, _ in failed], keep_run=True)
            if failed:
                log.warning("target %s: %s objects wait for another try, first: %s", storage, len(failed), failed[0][1])
            if any(isinstance(error, BadCredentials) for _, error in failed):
                break  # the others would fail alike; the scheduler comes back


def _deliver(storage: ExportStorage, client: object, items: list, run: ExportRun, lease: str) -> None:
    """One chunk on behalf of ``run``: counts what was written and reports what failed often enough."""
    failed = deliver.deliver_chunk(storage, client, items)
    mine = [pair for pair in failed if pair[0].run_id == run.pk]
    if refused := next((error for _, error in failed if isinstance(error, BadCredentials)), None):
        outbox.postpone([item for item, _ in failed], keep_run=False)
        raise refused
    lost = [pair for pair in mine if pair[0].attempts + 1 >= TRIES_PER_RUN or not pair[1].retryable]
    with transaction.atomic():
        written = sum(item.run_id == run.pk for item in items) - len(mine)
        status.advance(run, lease, listed=written + len(lost), created=written, failed=len(lost))
        ExportIssue.objects.bulk_create(
            ExportIssue(run=run, key=deliver.key_name(item.form, item.subject), code=error.code, message=str(error))
            for item, error in lost
        )
        outbox.postpone([item for item, _ in lost], keep_run=False)
        outbox.postpone([pair[0] for pair in failed if pair not in lost], keep_run=True)


def _take(model: type[Run], run_id: int) -> tuple[Run, str] | None:
    """The run and a fresh lease on it; None if its storage is gone or another delivery of this job came first."""
    run = model.objects.select_related("storage__project").filter(pk=run_id).first()
    if run is None:
        log.info("run %s is gone, its storage was deleted", run_id)
        return None
    try:
        return run, status.acquire(run)
    except status.LeaseLost:
        log.info("run %s was taken before; this delivery of its job has nothing to do", run_id)
        return None


@contextmanager
def _kept(run: Run, lease: str) -> Iterator[None]:
    """Keeps the lease alive and ends the run as it deserves when the block is left."""
    try:
        with kept_alive(lambda: (status.beat(run, lease), outbox.renew(lease))):
            yield
            status.complete(run, lease)
    except status.LeaseLost:
        log.warning("run %s was ended by somebody else; its uncommitted batch is dropped", run.pk)
    except (StorageError, DecryptionFailed) as error:
        status.fail(run, code=getattr(error, "code", "decryption"), message=str(error), lease=lease)
    except Exception:  # noqa: BLE001 - the job boundary
        log.exception("run %s failed", run.pk)
        connection.close_if_unusable_or_obsolete()
        message = f"internal error; the server's log has the details of run {run.pk}"
        status.fail(run, code="internal", message=message, lease=lease)


def tick() -> None:
    """The scheduler's round: dead runs are ended, lost jobs queued again, waiting deliveries started."""
    now = timezone.now()
    for model, job in ((ImportRun, "storages.jobs.run_import"), (ExportRun, "storages.jobs.run_export")):
        status.reap(model.objects)
        for run in status.stale_queued(model.objects, now):
            enqueue("low", job, run.pk, run.job_id)
    request_delivery(outbox.waiting_targets())
