"""Who owns a key: it is taken before anything is written there, and known until what lies there is gone. Opens no connection.

A subject has one link. While its object moves to another key, a second row keeps the key to come, so that nobody else takes
it and nothing is forgotten whenever the worker dies. What may not be deleted stays known by a row of its own.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from django.db import connection, transaction
from django.utils import timezone

from config.crypto import DecryptionFailed
from storages import places, traces
from storages.base import ExportStorage
from storages.errors import StorageError
from storages.links import ExportLink, Form, OutboxItem, key_digest
from storages.places import COMING, LEFT, Holder
from tasks.models import Annotation, Task

COLUMNS = ("storage_id", "form", "subject", "key", "key_digest", "digest", "exported_at")
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
Row = tuple[int, str, int, str, bytes, bytes, datetime]


class Moved(Exception):
    """The settings of the target were changed meanwhile: what was planned is to be planned anew."""


class Written(NamedTuple):
    """What an object was written as; ``coming``: the key that it was to move to when its worker died, "" if none.

    ``settled``: under the names that the target's settings make now.
    """

    key: str
    digest: bytes
    coming: str = ""
    settled: bool = True


def known(storage: ExportStorage, form: Form, subjects: Iterable[int]) -> dict[int, Written]:
    """The objects of ``subjects`` as far as they have some. One query."""
    rows = ExportLink.objects.filter(storage=storage, form__in=[form.value, COMING[form]], subject__in=list(subjects))
    found: dict[int, Written] = {}
    coming: dict[int, str] = {}
    for kind, subject, key, digest, at in rows.values_list("form", "subject", "key", "digest", "exported_at"):
        if kind == form:
            found[subject] = Written(key, bytes(digest), settled=at > NEVER)
        else:
            coming[subject] = key
    return {subject: link._replace(coming=coming.get(subject, "")) for subject, link in found.items()}


def reserve(storage: ExportStorage, form: Form, keys: Mapping[int, str], links: Mapping[int, Written]) -> dict[int, Holder]:
    """Notes that ``keys`` (subject → full key) are to be written; answers those that are somebody else's.

    Of two workers that want the same key at once, one gets it. No source takes the objects for somebody else's meanwhile.
    Raises Moved.
    """
    if not keys:
        return {}
    with transaction.atomic():
        _hold(storage)
        places.one_at_a_time(storage.client().place)
        held = places.holders(storage, form, keys)
        _bury(storage, form, keys, held)
        clashes = places.collisions(held, storage.pk, form, keys)
        free = {subject: key for subject, key in keys.items() if subject not in clashes}
        new = {subject: key for subject, key in free.items() if subject not in links or links[subject].key != key}
        kinds = {subject: COMING[form] if subject in links else form.value for subject in new}
        _upsert([(storage.pk, kinds[s], s, key, key_digest(key), b"", NEVER) for s, key in new.items()], "DO NOTHING")
    return clashes


def _hold(storage: ExportStorage) -> None:
    """Until the transaction ends, the target's settings stay as ``storage`` knows them. Raises Moved if they are others."""
    row = ExportStorage.objects.select_for_update(no_key=True).filter(pk=storage.pk, revision=storage.revision)
    if not row.values_list("pk").first():
        raise Moved


def _bury(storage: ExportStorage, form: Form, keys: Mapping[int, str], held: dict[str, list[Holder]]) -> None:
    """Takes out of ``held`` whose subject is gone, and will not be heard of again: its name is free for its successor."""
    own = {Holder(storage.pk, form.value, subject) for subject in keys}
    others = {holder for holders in held.values() for holder in holders} - own
    for holder in filter(_is_dead, others):
        for key in [key for key, holders in held.items() if holder in holders]:
            held[key].remove(holder)
            if not held[key]:
                del held[key]
            mine = ExportLink.objects.filter(storage_id=storage.pk, subject=holder.subject, key_digest=key_digest(key))
            mine.filter(form=holder.form).delete()


def _is_dead(holder: Holder) -> bool:
    if holder.form == LEFT:
        return True
    row = {"storage_id": holder.storage_id, "form": holder.form, "subject": holder.subject}
    model = Task if holder.form == Form.TASK else Annotation
    return not (model.objects.filter(pk=holder.subject).exists() or OutboxItem.objects.filter(**row).exists())


def confirm(
    storage: ExportStorage, form: Form, written: Mapping[int, Written], left: Collection[str], arrived: Collection[int]
) -> None:
    """Notes what was written, by subject, and the keys where something of ours was ``left`` behind. Raises Moved.

    ``arrived``: the subjects that lie under another key now, or were on their way to one.
    """
    now = timezone.now()
    rows = [(storage.pk, form.value, s, one.key, key_digest(one.key), one.digest, now) for s, one in sorted(written.items())]
    with transaction.atomic():
        _hold(storage)
        _upsert([(storage.pk, LEFT, _number(key), key, key_digest(key), b"", NEVER) for key in left], "DO NOTHING")
        _upsert(
            rows,
            "DO UPDATE SET key = excluded.key, key_digest = excluded.key_digest, digest = excluded.digest, "
            "exported_at = excluded.exported_at",
        )
        forget(storage, form, arrived, coming_only=True)


def forget(storage: ExportStorage, form: Form, subjects: Collection[int], *, coming_only: bool = False) -> None:
    """The objects of ``subjects`` are gone; with ``coming_only`` what they were to move to is."""
    if subjects:
        forms = [COMING[form]] if coming_only else [form.value, COMING[form]]
        ExportLink.objects.filter(storage_id=storage.pk, form__in=forms, subject__in=list(subjects)).delete()


def settings_changed(before: ExportStorage, after: ExportStorage) -> None:
    """Makes a target with other settings write anew what has another name now; in another place, it has written nothing yet.

    So it deletes nothing there that is not its own; what it wrote to the former place stays there.
    """
    links, places_ = ExportLink.objects.filter(storage_id=after.pk), {_place(before), _place(after)}
    if len(places_ - {None}) == 2:
        traces.keep(before)
        links.delete()
    elif any(getattr(before, name) != getattr(after, name) for name in _named_by(after)):
        links.exclude(form=LEFT).update(exported_at=NEVER)


def _place(storage: ExportStorage) -> str | None:
    try:
        return storage.client().place
    except (StorageError, DecryptionFailed):
        return None


def _named_by(storage: ExportStorage) -> set[str]:
    """The settings that names are made of."""
    return {"key_template", "object_form"} | {name for name in ("prefix", "path") if hasattr(storage, name)}


def _number(key: str) -> int:
    """Stands for a subject where there is none: 63 bits of the key's digest."""
    return int.from_bytes(key_digest(key)[:8]) >> 1


def _upsert(rows: Sequence[Row], conflict: str) -> None:
    if not rows:
        return
    table, moment = connection.ops.quote_name(ExportLink._meta.db_table), connection.ops.adapt_datetimefield_value
    marks = ", ".join([f"({', '.join(['%s'] * len(COLUMNS))})"] * len(rows))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(COLUMNS)}) VALUES {marks} "  # noqa: S608
            f"ON CONFLICT (storage_id, form, subject) {conflict}",
            [value for *row, at in rows for value in (*row, moment(at))],
        )
