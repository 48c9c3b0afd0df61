"""Which targets write to the same place, and which of their objects would overwrite each other's. Reads only."""

import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from django.db import connection

from config.crypto import DecryptionFailed
from storages.base import ExportStorage
from storages.errors import ConfigInvalid, StorageError
from storages.links import ExportLink, Form, key_digest
from storages.names import form_of, template_of
from storages.overlap import Atom, meet, pattern

# rows of links beside those that say where a subject's object lies: a key it is moving to, a key where one was left behind
COMING = {Form.ANNOTATION: "annot-next", Form.TASK: "task-next"}
COMING_OF = {coming: form.value for form, coming in COMING.items()}
LEFT = "left"
LOCK = 0x7175_6179  # of PostgreSQL's advisory locks: "quay"


def one_at_a_time(what: str = "targets") -> None:
    """Until the transaction ends, no other one passes here for the same ``what``: two that decide at once would not see each

    other. SQLite has one writer at a time anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, zlib.crc32(what.encode()) - 2**31])


def rival(storage: ExportStorage) -> ExportStorage | None:
    """Another target that could write an object under the same key as ``storage`` (saved or not), None if there is none.

    Targets with Label Studio's names and one form are no rivals: their ids are unique on this server, and the same
    annotation gives both the same bytes. One whose settings cannot be used writes nothing, and counts as none.
    """
    if (own := _reached(storage)) is None:
        return None
    for other in _others(storage):
        theirs = _reached(other)
        if theirs and theirs.place == own.place:
            strangers = theirs.storage.project_id != own.storage.project_id
            if meet(own.names, theirs.names, strangers=strangers):
                return theirs.storage
    return None


class Reached(NamedTuple):
    """A target, where it writes, and all keys it can write there."""

    storage: ExportStorage
    place: str
    names: list[Atom]


def _reached(storage: ExportStorage) -> Reached | None:
    """None for a target that cannot write. One that is closing still deletes what it wrote for its former project."""
    try:
        own = storage.concrete()
        own.project_id = own.project_id or own.former_project
        client = own.client()
        return Reached(own, client.place, pattern(client.root, template_of(own).pieces, own.project_id))
    except (StorageError, DecryptionFailed):
        return None


def _others(storage: ExportStorage) -> Iterator[ExportStorage]:
    """The other targets, without those that are no rivals for certain."""
    others = ExportStorage.objects.exclude(pk=storage.pk).order_by("id")
    if not storage.key_template:
        others = others.exclude(key_template="", object_form=storage.object_form)
    for other in others:
        if storage.key_template or other.key_template or form_of(other) is not form_of(storage):
            yield other


class Holder(NamedTuple):
    """Whose object lies under a key, or is to lie there."""

    storage_id: int
    form: str
    subject: int


class Collision(ConfigInvalid):
    """A key is another subject's."""

    code = "collision"


def holders(storage: ExportStorage, form: Form, keys: Mapping[int, str]) -> dict[str, list[Holder]]:
    """Who has the full ``keys`` (subject → key) in the place of ``storage``, by key: those who came first are first.

    What another target holds of the same subject is left out: both write the same bytes. One query, more if anybody
    else has one of the keys.
    """
    place, places = storage.client().place, {storage.pk: True}
    wanting, found = set(keys.items()), dict[str, list[Holder]]()
    for key, *who in _linked(keys.values()):
        holder = Holder(*who)
        same = holder.form == form and (holder.subject, key) in wanting
        if same and holder.storage_id != storage.pk:
            continue
        if holder.storage_id not in places:
            places[holder.storage_id] = _place(holder.storage_id) in (place, None)
        if places[holder.storage_id]:
            found.setdefault(key, []).append(holder)
    return found


def needed(storage: ExportStorage, form: Form, keys: Mapping[int, str], gone: Collection[int]) -> set[int]:
    """Those of ``keys`` (subject → full key of its object) that hold somebody else's object too: they must not be removed.

    Of subjects that are ``gone``, what other targets hold is left to die with ours. One query, more if anybody else has
    one of the keys.
    """
    found: set[int] = set()
    place, subjects = "", {key: subject for subject, key in keys.items()}
    for key, *who in _linked(keys.values()):
        holder, subject = Holder(*who), subjects[key]
        own = (holder.form, holder.subject) == (form, subject)
        if subject in found or (own and (holder.storage_id == storage.pk or subject in gone)):
            continue
        place = place or storage.client().place
        if holder.storage_id == storage.pk or _place(holder.storage_id) in (place, None):
            found.add(subject)
    return found


def _linked(keys: Iterable[str]) -> list[tuple[str, int, str, int]]:
    """(key, target, form, subject) of every target's links, those to come among them."""
    digests = {key_digest(key) for key in keys}
    rows = ExportLink.objects.filter(key_digest__in=digests).order_by("exported_at", "id")
    columns = rows.values_list("key", "storage_id", "form", "subject")
    return [(key, pk, COMING_OF.get(form, form), subject) for key, pk, form, subject in columns]


def _place(pk: int) -> str | None:
    """Where a target writes; None if that cannot be told."""
    reached = _reached(ExportStorage.objects.get(pk=pk))
    return reached and reached.place


def collisions(held: dict[str, list[Holder]], storage_id: int, form: Form, keys: Mapping[int, str]) -> dict[int, Holder]:
    """Those of ``keys`` (subject → full key) that are another's, by what ``holders`` found. Writing them would overwrite it.

    Whoever was first keeps the key; of several new ones, the lowest id.
    """
    found = {}
    for subject, key in sorted(keys.items()):
        own = Holder(storage_id, form.value, subject)
        first, *_ = held.setdefault(key, [own])
        if first != own:
            found[subject] = first
    return found
