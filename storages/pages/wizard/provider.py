"""The first step, and the ways into the wizard: a new draft for a provider, a draft that changes a stored storage."""

from django.contrib import messages
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_safe

from config.crypto import DecryptionFailed
from projects.models import Project
from storages import drafts
from storages.backends import BACKENDS
from storages.drafts import StorageDraft
from storages.pages.access import DIRECTIONS, SOURCE, find_storage, page
from storages.pages.wizard import steps

FORGOTTEN = "You had begun to change this storage; this goes on from there. Press Discard to start over."


@require_http_methods(["GET", "HEAD", "POST"])
@page
def choose(request: HttpRequest, project: Project, side: str) -> HttpResponseBase:
    """Select Provider. ``draft`` in the query or the form: the one that the user comes back from."""
    if side not in DIRECTIONS:
        raise Http404("There are sources and targets.")
    asked = request.POST if request.method == "POST" else request.GET
    before = _draft(request, project, DIRECTIONS[side], asked.get("draft", ""))
    chosen = request.POST.get("type", before.type if before else next(iter(BACKENDS)))
    if request.method == "POST" and chosen in BACKENDS:
        return redirect(_path(project, _begin(request, project, side, chosen, before), steps.CONNECTION))
    context = {
        "project": project,
        "section": "storage",
        "title": steps.TITLES[steps.PROVIDER],
        "steps": steps.marks(side, steps.PROVIDER, {steps.CONNECTION} if before else ()),
        "is_source": side == SOURCE,
        "backends": BACKENDS.values(),
        "chosen": chosen,
        "before": before,
        "unknown": request.method == "POST",
    }
    return render(request, "storages/wizard/provider.html", context)


@require_safe
@page
def edit(request: HttpRequest, project: Project, side: str, type: str, pk: int) -> HttpResponseBase:
    """Opens the wizard over a stored storage; a change that was left half done is found again."""
    try:
        storage = find_storage(project, side, type, pk)
    except DecryptionFailed as error:
        messages.error(request, str(error))
        return redirect(f"/projects/{project.pk}/settings/storage")
    drafts.tidy()
    about = {"user": request.user, "project": project, "direction": DIRECTIONS[side], "type": type, "storage_id": storage.pk}
    draft = StorageDraft.objects.filter(**about).order_by("-updated_at").first()
    if draft is None:
        draft = StorageDraft.objects.create(**about)
    elif draft.values:
        messages.info(request, FORGOTTEN)
    return redirect(_path(project, draft, steps.CONNECTION))


def _path(project: Project, draft: StorageDraft, step: str) -> str:
    return f"/projects/{project.pk}/settings/storage/drafts/{draft.pk}/{step}"


def _draft(request: HttpRequest, project: Project, direction: str, pk: str) -> StorageDraft | None:
    found = StorageDraft.objects.filter(user=request.user, project=project, direction=direction, storage_id=None)
    return next((draft for draft in found if str(draft.pk) == pk), None) if pk else None


def _begin(request: HttpRequest, project: Project, side: str, type: str, before: StorageDraft | None) -> StorageDraft:
    """The draft to go on with; of one for another provider only the title is taken over."""
    if before is not None and before.type == type:
        return before
    drafts.tidy()
    draft = StorageDraft.objects.create(user=request.user, project=project, direction=DIRECTIONS[side], type=type)
    if before is not None:
        draft.enter({name: value for name, value in before.values.items() if name == "title"})
        before.delete()
    return draft


urlpatterns = [
    path("projects/<int:project>/settings/storage/<str:side>/new", choose, name="wizard-new"),
    path("projects/<int:project>/settings/storage/<str:side>/<str:type>/<int:pk>/edit", edit, name="wizard-edit"),
]
