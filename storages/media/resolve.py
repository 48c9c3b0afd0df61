"""From a URI in task data to the storage that may serve it, and from task data to resolver links. No cloud call.

Rule (behaviour.md §3.2 and §10 E1, E2): scheme, container and root must match; of several storages the task's own
wins, then the longest root, then the lowest id. URIs that no storage of the project holds stay as they are.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, NamedTuple

from cachetools import TTLCache
from django.conf import settings
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.dispatch import receiver

from config.crypto import DecryptionFailed
from storages.backends import BACKENDS, schemes
from storages.base import ImportStorage, child_relations
from storages.client import Client
from storages.errors import ConfigInvalid, StorageError
from storages.links import ImportLink
from storages.media import signed_links, uris
from tasks.signals import tasks_presenting

HALF_A_PAIR = re.compile("[\ud800-\udfff]")  # surrogates alone are no UTF-8; JSON can name them all the same
LINK_BATCH = 10_000  # SQLite takes 32,766 variables a statement (SQLITE_MAX_VARIABLE_NUMBER)
NOBODY = (None, None)  # the storage and the key of a task that was made from no object
LONGEST_KEY = 4096  # characters; object stores take 1,024 bytes, paths of volumes and files (PATH_MAX) up to this
KEPT = 60  # seconds that clients are kept; changed settings count at once, what lies outside of the database after these


class Source(NamedTuple):
    """A storage with its backend's columns, and a client for it."""

    storage: ImportStorage
    client: Client


@dataclass
class Sources:
    """What can serve a project's URIs; ``broken`` says why the other storages cannot."""

    usable: list[Source] = field(default_factory=list)
    broken: list[StorageError] = field(default_factory=list)

    def own_uri(self, storage_id: int | None, key: str | None) -> str | None:
        """The URI of the object that a task was made from; None if its storage is not among these."""
        return next((source.client.uri(key) for source in self.usable if key and source.storage.pk == storage_id), None)


_guard = Lock()
_kept: TTLCache = TTLCache(maxsize=1024, ttl=KEPT)  # (project, stamp) → Sources


def stamp_of(project: str) -> Subquery:
    """A number that changes with the settings of the storages of the project whose id the column ``project`` holds."""
    rows = ImportStorage.objects.filter(project_id=OuterRef(project)).order_by().values("project_id")
    return Subquery(rows.annotate(stamp=Sum("revision")).values("stamp"))


def load_source(storage: ImportStorage) -> Source:
    """Raises StorageError."""
    return Source(storage, storage.client())


def load_sources(project_ids: Iterable[int]) -> dict[int, Sources]:
    """What can serve the URIs of each project; one small query while nobody changes their storages."""
    rows = ImportStorage.objects.filter(project_id__in=set(project_ids)).order_by().values("project_id")
    stamps = dict(rows.annotate(stamp=Sum("revision")).values_list("project_id", "stamp"))
    return defaultdict(Sources, {project_id: sources_of(project_id, stamp) for project_id, stamp in stamps.items()})


def sources_of(project_id: int, stamp: int | None) -> Sources:
    """What can serve the project's URIs; no query if ``stamp`` is what it was at the last call."""
    if stamp is None:
        return Sources()
    with _guard:
        kept = _kept.get((project_id, stamp))
    if kept is not None:
        return kept
    found = _load(project_id)
    if not found.broken:  # else what is wrong may be mended without a change in the database
        with _guard:
            _kept[project_id, stamp] = found
    return found


def _load(project_id: int) -> Sources:
    """The import storages that task data can refer to, in one query; clients are built, not connected."""
    children = {relation.related_model.backend_name: relation.get_accessor_name() for relation in child_relations(ImportStorage)}
    accessors = {name: children[name] for name, backend in BACKENDS.items() if backend.scheme}
    found = Sources()
    rows = ImportStorage.objects.filter(project_id=project_id, type__in=accessors).order_by("id")
    rows = rows.select_related(*accessors.values())  # not with_backend(): nobody asks for the runs here
    try:
        storages = list(rows)
    except DecryptionFailed:  # one credential that no key opens must not take the others along
        storages = [row for pk in list(rows.values_list("pk", flat=True)) if (row := _readable(rows.filter(pk=pk), found))]
    for row in storages:
        try:
            found.usable.append(load_source(getattr(row, accessors[row.type])))
        except StorageError as error:
            found.broken.append(error)
    return found


def _readable(rows: QuerySet[ImportStorage], found: Sources) -> ImportStorage | None:
    try:
        return rows.first()
    except DecryptionFailed as error:
        found.broken.append(ConfigInvalid(str(error)))
        return None


def choose(uri: str, sources: Sequence[Source], own: int | None = None) -> tuple[Source, str] | None:
    """The source that serves ``uri``, and the key there; None if none may. ``own``: id of the storage the task came from."""
    held = [(source, key) for source in sources if (key := source.client.key_of(uri)) and _can_be_asked_for(key)]
    return min(held, key=lambda pair: _rank(pair[0], own), default=None)


def _rank(source: Source, own: int | None) -> tuple[bool, int, int]:
    return source.storage.pk != own, -len(source.client.root), source.storage.pk


def _can_be_asked_for(key: str) -> bool:
    """False if a part of the key is "." or "..", which HTTP clients fold and so leave the root, or if no store can have it."""
    return len(key) <= LONGEST_KEY and {".", ".."}.isdisjoint(key.split("/")) and not HALF_A_PAIR.search(key)


def resolve_data(
    data: Any, task_id: int, sources: Sources, own: tuple[int | None, str | None] = NOBODY, signed_for: int | None = None
) -> Any:
    """A copy of a task's data with a link to ``/tasks/<id>/resolve/`` in place of each URI that a source serves.

    ``own``: id of the storage that the task came from, and its object's key there; ``signed_for``: the user of signed links.
    """
    base = f"{settings.HOST}/tasks/{task_id}/resolve/?"

    def link(uri: str) -> str:
        if (found := choose(uri, sources.usable, own[0])) is None:
            return uri
        if signed_for is not None:
            return base + signed_links.query_of(uri, task=task_id, storage=found[0].storage.pk, user=signed_for)
        return f"{base}fileuri={uris.encode(uri)}"

    return uris.replace(data, schemes(), link, sources.own_uri(*own))


@receiver(tasks_presenting, dispatch_uid="storages.media")
def present(sender: Any, payloads: list[dict[str, Any]], resolve: bool, signed_for: int | None = None, **kwargs: Any) -> None:
    """Fills ``storage_filename`` and, if ``resolve``, rewrites ``data`` of one page of tasks; two queries a page."""
    links = _links([payload["id"] for payload in payloads])
    sources = load_sources(payload["project"] for payload in payloads) if resolve and payloads else {}
    for payload in payloads:
        own = links.get(payload["id"], NOBODY)
        payload["storage_filename"] = own[1]
        if payload["project"] in sources:
            found = sources[payload["project"]]
            payload["data"] = resolve_data(payload["data"], payload["id"], found, own, signed_for)


def _links(task_ids: list[int]) -> dict[int, tuple[int, str]]:
    """Task id → (storage id, key) of the first link of each task that has one."""
    found: dict[int, tuple[int, str]] = {}
    for start in range(0, len(task_ids), LINK_BATCH):
        rows = ImportLink.objects.filter(task_id__in=task_ids[start : start + LINK_BATCH]).order_by("id")
        for task_id, storage_id, key in rows.values_list("task_id", "storage_id", "key"):
            found.setdefault(task_id, (storage_id, key))
    return found
