"""Finds the draft that a page of the wizard is about: seen by its user alone, at steps that were reached."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django_htmx.http import HttpResponseClientRedirect

from config.crypto import DecryptionFailed
from projects.models import Project
from storages.base import Storage
from storages.drafts import StorageDraft
from storages.pages.access import backend_of, model_of, page, side_of
from storages.pages.wizard import steps
from storages.pages.wizard.entry import Entry, reachable

GO = "go"  # the name of the buttons that lead to a step
GONE = "This storage was deleted meanwhile, and what you had changed with it."


def entry_page(step: str) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """For views of a draft: they get its Entry. A draft is seen by its user alone; a step that is not reached leads back.

    A form that is sent to go back is kept as it is, right or wrong; on the way forward the view judges it.
    """

    def decorate(view: Callable[[HttpRequest, Entry], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @page
        @wraps(view)
        def opened(request: HttpRequest, project: Project, draft: Any) -> HttpResponseBase:
            try:
                found = find_draft(request, project, draft)
                stored = stored_of(found)
            except DecryptionFailed as error:
                return _turned_away(request, project, str(error))
            if stored is None and found.storage_id is not None:
                found.delete()
                return _turned_away(request, project, GONE)
            entry = Entry(request, project, found, stored)
            if step not in reachable(entry):
                return sent(request, f"{entry.base}{steps.CONNECTION}")
            if request.method == "POST" and GO in request.POST and not ahead(entry, step):
                return _leave(entry, step)
            return view(request, entry)

        return opened

    return decorate


def ahead(entry: Entry, step: str) -> str:
    """The step behind ``step`` that the request's form asks to go to, "" if it asks for none."""
    flow, asked = steps.FLOWS[entry.side], entry.request.POST.get(GO, "")
    return asked if asked in flow[flow.index(step) + 1 :] else ""


def _leave(entry: Entry, step: str) -> HttpResponse:
    """Keeps what the form of ``step`` holds and goes where it asks to, or to the same step if that cannot be opened."""
    also = {"prefix"} & set(entry.request.POST) & set(steps.up_to(entry.backend, entry.side, steps.SETTINGS))
    if names := {*steps.fields_of(entry.backend, entry.side, step), *also}:
        entry.take(names)
    asked = entry.request.POST[GO]
    return sent(entry.request, entry.path_of(asked if asked in reachable(entry) else step))


def _turned_away(request: HttpRequest, project: Project, message: str) -> HttpResponse:
    messages.error(request, message)
    return sent(request, f"/projects/{project.pk}/settings/storage")


def find_draft(request: HttpRequest, project: Project, pk: Any) -> StorageDraft:
    """Raises Http404."""
    draft = StorageDraft.objects.filter(pk=pk, project=project, user=request.user).first()
    if draft is None:
        raise Http404("This draft is gone: it was saved or discarded, or it belongs to somebody else.")
    backend_of(draft.type)
    draft.project = project
    return draft


def stored_of(draft: StorageDraft) -> Storage | None:
    """The storage that the draft changes, if it is still there."""
    if draft.storage_id is None:
        return None
    rows = model_of(backend_of(draft.type), side_of(draft.direction)).objects.select_related("project")
    return rows.filter(pk=draft.storage_id, project_id=draft.project_id).first()


def sent(request: HttpRequest, url: str) -> HttpResponse:
    """A redirect of the whole page, also for htmx."""
    return HttpResponseClientRedirect(url) if request.htmx else redirect(url)
