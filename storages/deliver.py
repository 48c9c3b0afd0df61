"""Carries outbox rows to a target: builds the payloads in sets, writes or deletes the objects, keeps the links right."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from storages import keys, origins, outbox, places
from storages.base import ExportStorage
from storages.errors import StorageError
from storages.keys import Written
from storages.links import Form
from storages.names import form_of, template_of
from storages.outbox import Due
from storages.places import Collision, Holder
from storages.sync.push import Pusher, Write, digest, encode
from tasks.models import Annotation
from tasks.payloads import annotation_payloads, task_payloads


@dataclass
class Delivery:
    """What became of claimed rows."""

    written: list[Due] = field(default_factory=list)
    unchanged: list[Due] = field(default_factory=list)
    failed: list[tuple[Due, StorageError]] = field(default_factory=list)
    left: list[tuple[Due, str]] = field(default_factory=list)  # keys of written ones where their objects lay before, and still do
    size: int = 0  # bytes of the largest body
    bytes: int = 0  # of all bodies that were written


def deliver_chunk(storage: ExportStorage, pusher: Pusher, items: Sequence[Due], only_new: bool = False) -> Delivery:
    """Brings the objects of claimed rows up to date; with ``only_new`` objects that hold the same already are left alone.

    All rows are still claimed. Raises Moved if the target's settings were changed meanwhile, StorageError.
    """
    found = Delivery()
    for form in Form:
        if mine := {item.subject: item for item in items if item.form == form}:
            _deliver(storage, pusher, form, mine, only_new, found)
    return found


def _deliver(storage: ExportStorage, pusher: Pusher, form: Form, items: dict[int, Due], only_new: bool, found: Delivery) -> None:
    payloads, links = _payloads(form, items), keys.known(storage, form, items)
    if form is form_of(storage):
        wanted = _wanted(storage, pusher, payloads, links)
    else:  # what was written in this form is left as it is
        wanted = {}
        outbox.upsert(sorted((storage.pk, form_of(storage).value, subject) for subject in _in_other_form(form, payloads)))
    items = _finish_moves(storage, pusher, form, items, wanted, links, found)
    wanted = {subject: key for subject, key in wanted.items() if subject in items}
    clashes = keys.reserve(storage, form, wanted, links)
    writes: list[Write] = []
    for subject, item in items.items():
        link = links.get(subject)
        if subject in clashes:
            found.failed.append((item, _clash(storage, wanted[subject], clashes[subject])))
        elif (write := _write(storage, subject, payloads, wanted, link, only_new)) is None:
            found.unchanged.append(item)
        else:
            writes.append(write)
    _push(storage, pusher, form, writes, links, items, found)


def _push(
    storage: ExportStorage,
    pusher: Pusher,
    form: Form,
    writes: Sequence[Write],
    links: dict[int, Written],
    items: dict[int, Due],
    found: Delivery,
) -> None:
    done = []
    for write, error in pusher.push(_spare(storage, form, writes)):
        if error is None:
            done.append(write)
            found.written.append(items[write.subject])
            found.bytes += len(write.body or b"")
            found.size = max(found.size, len(write.body or b""))
        else:
            found.failed.append((items[write.subject], error))
    _relink(storage, form, done, links, items, found)


def _wanted(storage: ExportStorage, pusher: Pusher, payloads: dict, links: dict[int, Written]) -> dict[int, str]:
    """The full key of each subject. What it was made from may be gone meanwhile; its name stays what it was."""
    names = origins.names(storage, payloads)
    wanted = {subject: pusher.client.root + name for subject, name in names.items()}
    if "storage_filename" in template_of(storage).fields:
        wanted |= {s: links[s].key for s in wanted if s in links and links[s].settled and not links[s].coming}
    return wanted


def _in_other_form(form: Form, subjects: Iterable[int]) -> set[int]:
    """The subjects of the present form that are meant by those of a former one."""
    if form is Form.TASK:
        return set(Annotation.objects.filter(task_id__in=list(subjects)).values_list("id", flat=True))
    return set(Annotation.objects.filter(id__in=list(subjects)).values_list("task_id", flat=True))


def _finish_moves(
    storage: ExportStorage,
    pusher: Pusher,
    form: Form,
    items: dict[int, Due],
    wanted: dict[int, str],
    links: dict,
    found: Delivery,
) -> dict[int, Due]:
    """Removes what a worker that died may have written under names that are not wanted any more; the other ``items``."""
    stale = [Write(s, "", None, link.coming) for s, link in links.items() if link.coming not in ("", wanted.get(s))]
    done = pusher.push(_spare(storage, form, stale)) if storage.can_delete_objects else [(write, None) for write in stale]
    keys.forget(storage, form, [write.subject for write, error in done if error is None], coming_only=True)
    failed = {write.subject: error for write, error in done if error is not None}
    found.failed += [(items[subject], error) for subject, error in failed.items()]
    return {subject: item for subject, item in items.items() if subject not in failed}


def _spare(storage: ExportStorage, form: Form, writes: Sequence[Write]) -> list[Write]:
    """``writes`` that remove nothing which is somebody else's object too."""
    old = {write.subject: write.old_key for write in writes if write.old_key}
    gone = [write.subject for write in writes if write.body is None]
    needed = places.needed(storage, form, old, gone) if old else set()
    return [write._replace(old_key="") if write.subject in needed else write for write in writes]


def _payloads(form: str, subjects: Iterable[int]) -> dict[int, dict[str, Any]]:
    """What is to be written for each subject that still has something to say."""
    if form == Form.TASK:
        return {task_id: payload for task_id, payload in task_payloads(list(subjects)) if payload["annotations"]}
    return {annotation_id: payload for annotation_id, _, payload in annotation_payloads(list(subjects))}


def _write(
    storage: ExportStorage, subject: int, payloads: dict, wanted: dict[int, str], link: Written | None, only_new: bool
) -> Write | None:
    """What to do for one subject; None if its object is right as it is."""
    removable = link.key if link and storage.can_delete_objects else ""
    if subject not in payloads:  # where we may not delete, the object stays, and is known by its link to be ours
        return Write(subject, "", None, removable) if removable else None
    if subject not in wanted:
        return None
    key, body = wanted[subject], encode(payloads[subject])
    if only_new and link and link.key == key and link.digest == digest(body):
        return None
    return Write(subject, key, body, removable if removable != key else "")


def _clash(storage: ExportStorage, key: str, holder: Holder) -> Collision:
    whose = f"{holder.form} {holder.subject}" + (f" of target {holder.storage_id}" if holder.storage_id != storage.pk else "")
    message = f"{key} is the name of {whose} already; put an id into key_template, so that names differ"
    return Collision(message, field="key_template")


def _relink(
    storage: ExportStorage, form: Form, done: Sequence[Write], links: dict[int, Written], items: dict[int, Due], found: Delivery
) -> None:
    """Notes what was written under which key, what stays under an old one, and forgets what is gone."""
    written = {write.subject: Written(write.key, digest(write.body)) for write in done if write.body is not None}
    moved = [s for s, one in written.items() if s in links and links[s].key != one.key]
    left = [] if storage.can_delete_objects else [s for s in moved if links[s].digest]
    found.left += [(items[subject], links[subject].key) for subject in left]
    arrived = {*moved, *(s for s in written if s in links and links[s].coming)}
    keys.confirm(storage, form, written, [links[subject].key for subject in left], arrived)
    keys.forget(storage, form, [write.subject for write in done if write.body is None])
