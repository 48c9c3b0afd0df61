"""The dry run of a source in words: what a sync would do now, and why objects are left out."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from config.crypto import DecryptionFailed
from projects.models import Project
from storages.api.plan import plan
from storages.base import ImportStorage
from storages.errors import StorageError
from storages.pages import words
from storages.pages.access import SOURCE, find_storage, page
from storages.pages.storage_actions import UNREADABLE
from storages.pages.storage_list import PLACE
from storages.policies import ChangedPolicy

REASONS = {  # reason in the API: what a person reads
    "regex": "By the file name filter",
    "regex_timeout": "The file name filter takes too long on them",
    "extension": "No task files",
    "folder_marker": "Stand for folders",
    "sub_folder": "In sub-folders",
    "prefix": "Outside of the prefix",
    "name": "Names that cannot be stored",
    "own_export": "Written by targets of this server",
    "size": "Too large",
}
CHANGED = {
    ChangedPolicy.IGNORE: "Their tasks stay as they were imported.",
    ChangedPolicy.FLAG: "Their tasks are flagged.",
    ChangedPolicy.UPDATE: "Their tasks take over the new data and keep their annotations.",
}
WOULD = {
    "kept": "The tasks stay.",
    "flagged": "The tasks stay and are flagged.",
    "deleted": "Those without annotations are deleted, the others are flagged.",
    "blocked by the cap": "More tasks would be deleted than the limit in “Schedule and policies” allows, so the sync would stop.",
}


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@page
def plan_page(request: HttpRequest, project: Project, side: str, type: str, pk: int) -> HttpResponse:
    """GET: the frame, which asks for the plan by itself; POST: the plan, as a part for an open page."""
    if side != SOURCE:
        raise Http404("Only sources are planned; a target writes what was annotated.")
    context: dict[str, Any] = {"project": project, "section": "storage"}
    try:
        storage = find_storage(project, side, type, pk)
        context |= {"storage": storage, "title": words.title_of(storage), "places": words.location_of(storage)}
        context |= _drawn_up(storage) if request.method == "POST" else {}
    except (StorageError, DecryptionFailed) as error:
        context["trouble"] = UNREADABLE if isinstance(error, DecryptionFailed) else str(error)
        context["advice"] = words.next_step(getattr(error, "code", "decryption"))
    part = request.htmx and request.method == "POST"
    return render(request, "storages/parts/plan.html" if part else "storages/storage_plan.html", context)


def _drawn_up(storage: ImportStorage) -> dict[str, Any]:
    """The plan as lists of sentences' parts. Raises StorageError."""
    found = plan(storage)
    reasons = [{"name": REASONS.get(name, name), **kind} for name, kind in found["ignored"]["reasons"].items()]
    gone = found["vanished"]
    return {
        "plan": found,
        "reasons": reasons,
        "would_change": CHANGED[ChangedPolicy(storage.changed_policy)],
        "would_vanish": WOULD[gone["would"]] if gone else "",
        "files": storage.use_blob_urls,
    }


urlpatterns = [path(f"{PLACE}/plan", plan_page, name="storage-plan")]
