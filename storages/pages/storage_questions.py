"""Pages that ask before something is done: what kind of snapshot to write, and whether a storage shall be deleted."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_http_methods

from config.crypto import DecryptionFailed
from projects.models import Project
from storages.api import starting
from storages.api.snapshots import SnapshotRequest
from storages.base import Storage
from storages.errors import StorageError
from storages.links import ImportLink, OutboxItem
from storages.pages import words
from storages.pages.access import SOURCE, TARGET, find_storage, page
from storages.pages.storage_actions import OFF, UNREADABLE, Said, queued
from storages.pages.storage_list import PLACE
from storages.snapshots.places import FORMATS
from storages.status import runs_of

COUNTED = 10_000  # at most; more take long to count and would say nothing more


@require_http_methods(["GET", "HEAD", "POST"])
@page
def snapshot(request: HttpRequest, project: Project, side: str, type: str, pk: int) -> HttpResponse:
    """Asks for the format and a name, then queues a snapshot."""
    storage = find_storage(project, side, type, pk, secrets=False)
    if side != TARGET:
        raise Http404("Snapshots are written to targets.")
    context = _context(project, side, storage) | {"formats": FORMATS, "entered": request.POST, "errors": {}}
    if request.method == "POST":
        wanted = SnapshotRequest(data={name: value for name, value in request.POST.items() if value})
        if wanted.is_valid():
            messages.add_message(request, *_begin_snapshot(request, project, type, pk, **wanted.validated_data))
            return redirect("storage-list", project=project.pk)
        context["errors"] = wanted.errors
    return render(request, "storages/storage_snapshot.html", context)


def _begin_snapshot(request: HttpRequest, project: Project, type: str, pk: int, *, format: str, name: str = "") -> Said:
    """Raises Http404."""
    try:
        storage = find_storage(project, TARGET, type, pk)
        if not storage.synchronizable:
            return messages.ERROR, OFF
        run = starting.start_snapshot(storage, request.user, "page", form=format, name=name)
    except DecryptionFailed:
        return messages.ERROR, UNREADABLE
    except StorageError as error:
        return messages.ERROR, f"The storage cannot be reached, so no snapshot was started: {error}"
    if run is None:
        return messages.WARNING, "A sync or a snapshot of this target is under way already. Wait for its end, or cancel it."
    return queued("The snapshot is queued.")


@require_http_methods(["GET", "HEAD", "POST"])
@page
def delete(request: HttpRequest, project: Project, side: str, type: str, pk: int) -> HttpResponse:
    """Says what goes and what stays, asks for the title, and deletes the storage."""
    storage = find_storage(project, side, type, pk, secrets=False)
    context = _context(project, side, storage) | {"error": "", "entered": ""}
    if request.method == "POST":
        entered = _plain(request.POST.get("title", ""))
        if entered == context["asked"]:
            starting.delete(storage)
            messages.success(request, f"The storage “{context['title']}” was deleted. Its tasks and objects are still there.")
            return redirect("storage-list", project=project.pk)
        wrong = "This is not the title of the storage. Nothing was deleted." if entered else "Enter the title of the storage."
        context |= {"error": wrong, "entered": entered}
    return render(request, "storages/storage_delete.html", context | _at_stake(side, storage))


def _context(project: Project, side: str, storage: Storage) -> dict[str, Any]:
    title = words.title_of(storage)
    more = {"places": words.location_of(storage), "asked": _plain(title) or "delete"}
    return {"project": project, "section": "storage", "side": side, "storage": storage, "title": title, **more}


def _at_stake(side: str, storage: Storage) -> dict[str, Any]:
    """What a deletion concerns, in numbers; ``many``: there is more than was counted."""
    runs = runs_of(storage).objects.filter(storage_id=storage.pk).count()
    rows = (ImportLink if side == SOURCE else OutboxItem).objects.filter(storage_id=storage.pk)
    concerned = rows.order_by()[: COUNTED + 1].count()
    return {"runs": runs, "concerned": min(concerned, COUNTED), "many": concerned > COUNTED}


def _plain(title: str) -> str:
    """As it can be typed: without line breaks and doubled blanks."""
    return " ".join(title.split())


urlpatterns = [
    path(f"{PLACE}/snapshot", snapshot, name="storage-snapshot"),
    path(f"{PLACE}/delete", delete, name="storage-delete"),
]
