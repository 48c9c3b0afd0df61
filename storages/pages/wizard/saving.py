"""Turns a draft into a storage, or discards it; the rules and what follows are those of the API."""

from collections.abc import Collection
from functools import partial
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.views.decorators.http import require_POST
from rest_framework.exceptions import APIException

from projects.models import Project
from storages import jobs
from storages.api import forms, starting
from storages.api.forms import label_of
from storages.base import Storage
from storages.drafts import StorageDraft
from storages.errors import StorageError
from storages.pages.access import page
from storages.pages.wizard import steps
from storages.pages.wizard.entry import TOP, Entry
from storages.pages.wizard.opening import GONE, find_draft
from storages.pages.words import title_of


def finish(entry: Entry, *, sync: bool = False) -> HttpResponse | None:
    """Saves and leads to the project's storages; None, and the entry's errors filled, if the settings were refused."""
    serializer = entry.serializer(steps.up_to(entry.backend, entry.side, steps.REVIEW), check=True)
    try:
        serializer.is_valid(raise_exception=True)
        with transaction.atomic():
            if not StorageDraft.objects.filter(pk=entry.draft.pk).delete()[0]:
                raise Http404("This was saved already, perhaps by a second press of the button.")
            storage = serializer.save()
    except APIException as error:
        _tell(entry, error)
        return None
    except Http404:
        if entry.stored is None or type(entry.stored).objects.filter(pk=entry.stored.pk).exists():
            raise
        messages.error(entry.request, GONE)
    else:
        _follow_up(entry, storage, sync=sync)
    return redirect(f"/projects/{entry.project.pk}/settings/storage")


def _follow_up(entry: Entry, storage: Storage, *, sync: bool) -> None:
    """Starts what the API starts too, and says so."""
    name, user, say = title_of(storage), entry.request.user, partial(messages.success, entry.request)
    if entry.draft.direction == "export":
        if entry.stored is None and forms.sync_on_creation() and jobs.start_export(storage, user, trigger="create"):
            return say(f"{name} is connected. Annotations that are there already are being written to it.")
    elif sync and storage.synchronizable:
        try:
            if starting.start_sync(storage, user, "page"):
                return say(f"{name} is saved, and its sync has begun. You can leave this page.")
        except StorageError as error:
            return messages.warning(entry.request, f"{name} is saved, but its sync could not begin: {error}")
    return say(f"{name} is saved." if entry.stored else f"{name} is connected. Press Sync to begin.")


def _tell(entry: Entry, error: APIException) -> None:
    """Puts what the API would answer beside the fields; fields of other steps are named with the message."""
    about: dict[str, Any] = getattr(error, "connection", {})
    detail = error.detail if isinstance(error.detail, dict) else {about.get("field") or TOP: error.detail}
    for name, texts in detail.items():
        entry.errors.setdefault(name, []).extend(str(one) for one in (texts if isinstance(texts, list) else [texts]))


def faults(entry: Entry, shown: Collection[str]) -> list[dict[str, str]]:
    """Why saving was refused, but for fields on this page (``shown``): each with the step that can mend it."""
    found = []
    for name, texts in entry.errors.items():
        if name not in shown:
            step = steps.step_of(entry.backend, entry.side, name)
            label = label_of(entry.model._meta.get_field(name)) if step else ""
            place = {"url": f"{entry.base}{step}" if step else "", "step": steps.TITLES.get(step, "")}
            found.append({"label": label, "text": " ".join(texts), **place})
    return found


@require_POST
@page
def discard(request: HttpRequest, project: Project, draft: Any) -> HttpResponse:
    """Deletes the draft; what is stored stays as it is."""
    find_draft(request, project, draft).delete()
    messages.info(request, "Nothing was saved.")
    return redirect(f"/projects/{project.pk}/settings/storage")


urlpatterns = [path("discard", discard, name="wizard-discard")]
