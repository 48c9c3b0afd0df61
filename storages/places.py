"""Which targets write to the same place, and which of their objects would overwrite each other's. Reads only."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from django.db import connection

from config.crypto import DecryptionFailed
from storages.base import ExportStorage
from storages.errors import StorageError
from storages.links import ExportLink, Form, key_digest
from storages.names import form_of, template_of
from storages.overlap import Atom, meet, pattern

LOCK = 0x7175_6179  # of PostgreSQL's advisory locks: "quay"


def one_at_a_time() -> None:
    """Until the transaction ends, no other one passes here: two targets that are saved at once would not see each other.

    SQLite has one writer at a time anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


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


def collisions(storage: ExportStorage, form: Form, keys: Mapping[int, str]) -> dict[int, tuple[str, int]]:
    """Those of ``keys`` (subject → full key) that hold, or are to hold, another subject's object: (its form, its subject).

    Writing them would overwrite it. Whoever was written first keeps the key; of several new ones, the lowest id. One query.
    """
    holders: dict[str, list[tuple[str, int]]] = {}
    digests = {key_digest(key) for key in keys.values()}
    linked = ExportLink.objects.filter(storage_id=storage.pk, key_digest__in=digests).order_by("exported_at", "id")
    for key, *holder in linked.values_list("key", "form", "subject"):
        holders.setdefault(key, []).append(tuple(holder))
    found = {}
    for subject, key in sorted(keys.items()):
        first, *_ = holders.setdefault(key, [(form.value, subject)])
        if first != (form.value, subject):
            found[subject] = first
    return found
