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

GONE = "This storage was deleted meanwhile, and what you had changed with it."


def entry_page(step: str) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """For views of a draft: they get its Entry. A draft is seen by its user alone; a step that is not reached leads back."""

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
            return view(request, entry)

        return opened

    return decorate


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
