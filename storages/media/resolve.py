"""From a URI in task data to the storage that may serve it, and from task data to resolver links. No cloud call.

Rule (behaviour.md §3.2 and §10 E1, E2): scheme, container and root must match; of several storages the task's own
wins, then the longest root, then the lowest id. URIs that no storage of the project holds stay as they are.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.conf import settings
from django.dispatch import receiver

from storages.backends import BACKENDS, schemes
from storages.base import ImportStorage, child_relations
from storages.client import Client
from storages.errors import StorageError
from storages.links import ImportLink
from storages.media import uris
from tasks.signals import tasks_presenting

LINK_BATCH = 10_000  # SQLite takes 32,766 variables a statement (SQLITE_MAX_VARIABLE_NUMBER)


class Source(NamedTuple):
    """A storage with its backend's columns, and a client for it."""

    storage: ImportStorage
    client: Client


@dataclass
class Sources:
    """What can serve a project's URIs; ``broken`` says why the other storages cannot."""

    usable: list[Source] = field(default_factory=list)
    broken: list[StorageError] = field(default_factory=list)


def load_sources(project_ids: Iterable[int]) -> dict[int, Sources]:
    """The import storages of each project that task data can refer to, in one query; clients are built, not connected."""
    children = {relation.related_model.backend_name: relation.get_accessor_name() for relation in child_relations(ImportStorage)}
    accessors = {name: children[name] for name, backend in BACKENDS.items() if backend.scheme}
    found: dict[int, Sources] = defaultdict(Sources)
    rows = ImportStorage.objects.filter(project_id__in=set(project_ids), type__in=accessors).order_by("id")
    for row in rows.select_related(*accessors.values()):  # not with_backend(): nobody asks for the runs here
        storage = getattr(row, accessors[row.type])
        try:
            found[storage.project_id].usable.append(Source(storage, storage.client()))
        except StorageError as error:
            found[storage.project_id].broken.append(error)
    return found


def choose(uri: str, sources: Sequence[Source], own: int | None = None) -> tuple[Source, str] | None:
    """The source that serves ``uri``, and the key there; None if none may. ``own``: id of the storage the task came from."""
    held = [(source, key) for source in sources if (key := source.client.key_of(uri)) and not _climbs(key)]
    return min(held, key=lambda pair: _rank(pair[0], own), default=None)


def _rank(source: Source, own: int | None) -> tuple[bool, int, int]:
    return source.storage.pk != own, -len(source.client.root), source.storage.pk


def _climbs(key: str) -> bool:
    """Whether a part of the key is "." or "..": HTTP clients fold those, which would lead out of the root."""
    return not {".", ".."}.isdisjoint(key.split("/"))


def resolve_data(data: Any, task_id: int, sources: Sequence[Source], own: int | None = None) -> Any:
    """A copy of a task's data with a link to ``/tasks/<id>/resolve/`` in place of each URI that a source serves."""
    base = f"{settings.HOST}/tasks/{task_id}/resolve/?fileuri="
    return uris.replace(data, schemes(), lambda uri: base + uris.encode(uri) if choose(uri, sources, own) else uri)


@receiver(tasks_presenting, dispatch_uid="storages.media")
def present(sender: Any, payloads: list[dict[str, Any]], resolve: bool, **kwargs: Any) -> None:
    """Fills ``storage_filename`` and, if ``resolve``, rewrites ``data`` of one page of tasks; two queries a page."""
    links = _links([payload["id"] for payload in payloads])
    sources = load_sources(payload["project"] for payload in payloads) if resolve and payloads else {}
    for payload in payloads:
        own, key = links.get(payload["id"], (None, None))
        payload["storage_filename"] = key
        if payload["project"] in sources:
            payload["data"] = resolve_data(payload["data"], payload["id"], sources[payload["project"]].usable, own)


def _links(task_ids: list[int]) -> dict[int, tuple[int, str]]:
    """Task id → (storage id, key) of the first link of each task that has one."""
    found: dict[int, tuple[int, str]] = {}
    for start in range(0, len(task_ids), LINK_BATCH):
        rows = ImportLink.objects.filter(task_id__in=task_ids[start : start + LINK_BATCH]).order_by("id")
        for task_id, storage_id, key in rows.values_list("task_id", "storage_id", "key"):
            found.setdefault(task_id, (storage_id, key))
    return found
