"""How an export run is worked on, and how the outbox of a target is delivered between runs. Knows no queue."""

import logging
import time
import uuid
from collections.abc import Collection

from django.db import transaction

from config.crypto import DecryptionFailed
from storages import closing, outbox, recording, status
from storages.alive import kept_alive
from storages.base import ExportStorage
from storages.courier import Courier
from storages.errors import StorageError
from storages.runs import ExportRun
from users.models import User

log = logging.getLogger(__name__)


def begin_retry(storage: ExportStorage, user: User | None, trigger: str, subjects: Collection[int] = ()) -> ExportRun | None:
    """A queued run over what failed before (or ``subjects`` of it), due from now on; None if one is queued or running."""
    with transaction.atomic():
        run = status.begin(storage, user=user, trigger=trigger, kind=ExportRun.Kind.RETRY)
        if run is not None:
            status.expect(run, outbox.record_failed(run, subjects))
        return run


def work(run: ExportRun, lease: str) -> None:
    """Makes everything due (of a retry it is), delivers until none of it is left, and ends the run.

    Raises LeaseLost, StorageError.
    """
    storage = run.storage.concrete()
    try:
        courier = Courier(storage, storage.client(), lease)
        if run.kind == ExportRun.Kind.SYNC:
            recording.record_all(run, lease)
        with courier.pusher:
            while run.outbox.exists():
                if not courier.carry(run, lambda: status.beat(run, lease)):
                    time.sleep(0.5)  # the rest waits for its next try, or another worker has it
                    status.beat(run, lease)
        status.complete(run, lease)
    except StorageError:
        outbox.disown(run)
        raise


def empty_outbox(target: ExportStorage) -> None:
    """Delivers what is due for one target; failures are tried again later, for as long as it takes."""
    if not outbox.is_awake(target.pk):
        return
    token = uuid.uuid4().hex
    try:
        storage = target.concrete()
        client = storage.client()
    except (StorageError, DecryptionFailed) as error:
        log.warning("target %s cannot be written to: %s", target.pk, error)
        outbox.postpone(outbox.claim(target, token))
        outbox.rest(target)
        return
    courier = Courier(storage, client, token)
    with kept_alive(lambda: outbox.renew(token)), courier.pusher:
        try:
            while courier.carry():
                pass
        except StorageError as error:  # the others would fail alike; the scheduler comes back
            log.warning("target %s cannot be written to: %s", storage, error)
    closing.close_done()
