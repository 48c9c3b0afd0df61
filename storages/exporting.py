"""How an export run is worked on, and how the outbox of a target is delivered between runs. Knows no queue."""

import logging
import time
import uuid
from collections.abc import Sequence

from django.db import transaction
from django.db.models import F

from config.crypto import DecryptionFailed
from storages import deliver, outbox, status
from storages.alive import kept_alive
from storages.base import ExportStorage
from storages.client import Client
from storages.errors import BadCredentials, StorageError
from storages.links import OutboxItem
from storages.runs import ExportIssue, ExportRun

log = logging.getLogger(__name__)
TRIES_PER_RUN = 3  # times a run tries an object before it reports it; the outbox goes on trying


def work(run: ExportRun, lease: str) -> None:
    """Makes everything due, then delivers the outbox until none of it is left. Raises LeaseLost, StorageError."""
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


def empty_outbox(target: ExportStorage) -> None:
    """Delivers what is due for one target; failures are tried again later, for as long as it takes."""
    token = uuid.uuid4().hex
    try:
        storage = target.concrete()
        client = storage.client()
    except (StorageError, DecryptionFailed) as error:
        log.warning("target %s cannot be written to: %s", target.pk, error)
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


def _deliver(storage: ExportStorage, client: Client, items: Sequence[OutboxItem], run: ExportRun, lease: str) -> None:
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
