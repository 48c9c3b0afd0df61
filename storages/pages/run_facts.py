"""A run as its pages show it: what the API tells about it, in words. Asks for no secret and changes nothing."""

from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest

from projects.access import key_of
from projects.models import Project
from storages.api import run_shapes as shapes
from storages.base import ImportStorage, Storage
from storages.pages import words
from storages.pages.access import find_storage
from storages.runs import ExportRun, State
from storages.snapshots.places import MANIFEST
from storages.status import runs_of

PLACE = "projects/<int:project>/settings/storage/<str:side>/<str:type>/<int:pk>"
TRIGGERS = {
    "api": "API",
    "page": "Button on a page",
    "create": "Creation of the storage",
    "command": "Command line",
    "demo": "Demo",
    "schedule": "Schedule",
}
KINDS = {ExportRun.Kind.SYNC: "Sync", ExportRun.Kind.RETRY: "Retry", ExportRun.Kind.SNAPSHOT: "Snapshot"}
SOURCE_COUNTERS = {
    "listed": "Objects listed",
    "new": "Tasks created",
    "existing": "Tasks that existed",
    "changed": "Changed objects",
    "vanished": "Vanished objects",
    "renamed": "Renamed objects",
    "skipped": "Left out by the filter",
    "failed": "Failed",
}
TARGET_COUNTERS = {"listed": "Objects looked at", "new": "Objects written", "existing": "Up to date before", "failed": "Failed"}
SNAPSHOT_COUNTERS = {"listed": "Tasks read", "new": "Tasks written", "failed": "Failed"}


def frame(project: Project, side: str, type: str, pk: int) -> dict[str, Any]:
    """The context of every page of a storage: the storage without its secrets, and what names it. Raises Http404."""
    storage = find_storage(project, side, type, pk, secrets=False)
    ids = {"project": project.pk, "side": side, "type": type, "pk": storage.pk}
    context = {"project": project, "section": "storage", "side": side, "ids": ids}
    return context | {"storage": storage, "title": words.title_of(storage)}


def rows_of(storage: Storage) -> QuerySet:
    """Rows of the storage's runs for ``facts_of``, the newest first."""
    model = runs_of(storage)
    return model.objects.filter(storage_id=storage.pk).order_by("-id").values(*shapes.columns(model))


def find_run(storage: Storage, pk: int) -> dict[str, Any]:
    """The row of a run of the storage. Raises Http404."""
    if row := rows_of(storage).filter(pk=key_of(pk)).first():
        return row
    raise Http404("This storage has no such run.")


def facts_of(row: dict[str, Any]) -> dict[str, Any]:
    """What the API tells about the run, and the words for it."""
    told = shapes.present(row, "")
    state = State(row["state"])
    return told | {
        "version": shapes.version(row).strip('"'),
        "active": told["poll_after_ms"] is not None,
        "words": words.STATES[state],
        "kind_words": KINDS[told["kind"]],
        "trigger_words": TRIGGERS.get(row["trigger"], row["trigger"]),
        "who": row["started_by__email"] or "",
        "duration_words": words.duration(told["duration"]),
        "eta_words": words.duration(told["eta_seconds"]),
        "text": row["error"],
        "first_line": row["error"].partition("\n")[0],
        "manifest": f"{row['place']}{MANIFEST}" if row.get("place") and state == State.COMPLETED else "",
    }


def counters_of(storage: Storage, facts: dict[str, Any]) -> list[tuple[str, str, int]]:
    """Name, label and value of each counter that such a run has."""
    labels = SOURCE_COUNTERS if isinstance(storage, ImportStorage) else TARGET_COUNTERS
    labels = SNAPSHOT_COUNTERS if facts["snapshot"] else labels
    return [(name, label, facts["counters"][name]) for name, label in labels.items()]


def read_page(request: HttpRequest, rows: QuerySet, size: int) -> Page:
    """The page that ``page`` of the query names; what names none gives the first or the last one."""
    return Paginator(rows, size).get_page(request.GET.get("page"))
