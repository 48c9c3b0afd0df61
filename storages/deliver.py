"""Carries outbox rows to a target: builds the payloads in sets, writes or deletes the objects, keeps the links right."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from storages import origins, outbox, places
from storages.base import ExportStorage
from storages.errors import ConfigInvalid, StorageError
from storages.links import ExportLink, Form, key_digest
from storages.names import form_of
from storages.outbox import Due
from storages.sync.push import Pusher, Write, digest, encode
from tasks.payloads import annotation_payloads, task_payloads

LINK_COLUMNS = ("storage_id", "form", "subject", "key", "key_digest", "digest", "exported_at")
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Written(NamedTuple):
    """What an object was written as."""

    key: str
    digest: bytes


@dataclass
class Delivery:
    """What became of claimed rows. The ``failed`` ones are still claimed, the others are settled."""

    written: list[Due] = field(default_factory=list)
    unchanged: list[Due] = field(default_factory=list)
    failed: list[tuple[Due, StorageError]] = field(default_factory=list)
    size: int = 0  # bytes of the largest body


def deliver_chunk(storage: ExportStorage, pusher: Pusher, items: Sequence[Due], only_new: bool = False) -> Delivery:
    """Brings the objects of claimed rows up to date; with ``only_new`` objects that hold the same already are left alone."""
    found = Delivery()
    for form in Form:
        if mine := {item.subject: item for item in items if item.form == form}:
            _deliver(storage, pusher, form, mine, only_new, found)
    outbox.settle([*found.written, *found.unchanged])
    return found


def _deliver(storage: ExportStorage, pusher: Pusher, form: str, items: dict[int, Due], only_new: bool, found: Delivery) -> None:
    current = form == form_of(storage)
    payloads = _payloads(form, items)
    wanted = items if storage.can_delete_objects or only_new else [subject for subject in items if subject not in payloads]
    links = _links(storage, form, wanted)
    # what was written in another form than the present one is left as it is
    keys = {pk: pusher.client.root + name for pk, name in origins.names(storage, payloads).items()} if current else {}
    clashes = places.collisions(storage, Form(form), keys)
    writes: list[Write] = []
    for subject, item in items.items():
        if subject in clashes:
            found.failed.append((item, _clash(keys[subject], *clashes[subject])))
        elif (write := _write(storage, subject, payloads, keys, links.get(subject), only_new)) is None:
            found.unchanged.append(item)
        else:
            writes.append(write)
    _announce(storage, form, writes)
    done = []
    for write, error in pusher.push(writes):
        if error is None:
            done.append(write)
            found.written.append(items[write.subject])
            found.size = max(found.size, len(write.body or b""))
        else:
            found.failed.append((items[write.subject], error))
    _relink(storage, form, done)


def _links(storage: ExportStorage, form: str, subjects: Iterable[int]) -> dict[int, Written]:
    rows = ExportLink.objects.filter(storage=storage, form=form, subject__in=list(subjects))
    return {subject: Written(key, bytes(digest)) for subject, key, digest in rows.values_list("subject", "key", "digest")}


def _payloads(form: str, subjects: Iterable[int]) -> dict[int, dict[str, Any]]:
    """What is to be written for each subject that still has something to say."""
    if form == Form.TASK:
        return {task_id: payload for task_id, payload in task_payloads(list(subjects)) if payload["annotations"]}
    return {annotation_id: payload for annotation_id, _, payload in annotation_payloads(list(subjects))}


def _write(
    storage: ExportStorage, subject: int, payloads: dict, keys: dict[int, str], link: Written | None, only_new: bool
) -> Write | None:
    """What to do for one subject; None if its object is right as it is."""
    removable = link.key if link and storage.can_delete_objects else ""
    if subject not in payloads:  # where we may not delete, the object stays, and is known by its link to be ours
        return Write(subject, "", None, removable) if removable else None
    if subject not in keys:
        return None
    key, body = keys[subject], encode(payloads[subject])
    if only_new and link and link.key == key and link.digest == digest(body):
        return None
    return Write(subject, key, body, removable if removable != key else "")


def _clash(key: str, form: str, subject: int) -> StorageError:
    message = f"{key} is the name of {form} {subject} already; put an id into key_template, so that names differ"
    return ConfigInvalid(message, field="key_template")


def _announce(storage: ExportStorage, form: str, writes: Sequence[Write]) -> None:
    """Notes keys before anything is written there, so that no source takes the object for somebody else's meanwhile."""
    rows = [(storage.pk, form, w.subject, w.key, key_digest(w.key), b"", NEVER) for w in writes if w.body is not None]
    _upsert(rows, "DO NOTHING")


def _relink(storage: ExportStorage, form: str, done: Sequence[Write]) -> None:
    """Notes what was written under which key, and forgets what is gone."""
    now = timezone.now()
    written = [write for write in done if write.body is not None]
    _upsert(
        [(storage.pk, form, w.subject, w.key, key_digest(w.key), digest(w.body), now) for w in written],
        "DO UPDATE SET key = excluded.key, key_digest = excluded.key_digest, digest = excluded.digest, "
        "exported_at = excluded.exported_at",
    )
    if gone := [write.subject for write in done if write.body is None]:
        ExportLink.objects.filter(storage_id=storage.pk, form=form, subject__in=gone).delete()


def _upsert(rows: Sequence[tuple], conflict: str) -> None:
    if not rows:
        return
    table, moment = connection.ops.quote_name(ExportLink._meta.db_table), connection.ops.adapt_datetimefield_value
    marks = ", ".join([f"({', '.join(['%s'] * len(LINK_COLUMNS))})"] * len(rows))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(LINK_COLUMNS)}) VALUES {marks} "  # noqa: S608
            f"ON CONFLICT (storage_id, form, subject) {conflict}",
            [value for *row, at in rows for value in (*row, moment(at))],
        )
