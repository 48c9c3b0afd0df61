"""Name Objects: what a target's objects are called and hold, with the key that comes of it while it is typed."""

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from storages import names as naming
from storages import origins
from storages.base import ExportStorage
from storages.errors import StorageError
from storages.links import Form
from storages.names import Subject
from storages.pages.wizard import steps
from storages.pages.wizard.entry import Entry
from storages.pages.wizard.opening import entry_page
from storages.pages.wizard.saving import faults, finish
from tasks.models import Annotation, Task


@require_http_methods(["GET", "HEAD", "POST"])
@entry_page(steps.NAMES)
def names(request: HttpRequest, entry: Entry) -> HttpResponseBase:
    """The last step of a target; posting saves it."""
    if request.method == "POST" and _entered(entry) and (answer := finish(entry)):
        return answer
    return _page(entry, "names.html")


@require_POST
@entry_page(steps.NAMES)
def example(request: HttpRequest, entry: Entry) -> HttpResponseBase:
    """The key that the typed template gives, or what is wrong with it."""
    return _page(entry, "example.html", _entered(entry))


def _entered(entry: Entry) -> ExportStorage | None:
    entry.take(steps.fields_of(entry.backend, entry.side, steps.NAMES))
    return _judged(entry)


def _judged(entry: Entry) -> ExportStorage | None:
    fields = steps.fields_of(entry.backend, entry.side, steps.NAMES)
    return entry.judge(steps.up_to(entry.backend, entry.side, steps.NAMES), fields)


def _page(entry: Entry, template: str, storage: ExportStorage | None = None) -> HttpResponseBase:
    """``storage``: as it is entered; found out here if there were no errors so far."""
    storage = storage or (None if entry.errors else _judged(entry))
    subject, fields = _subject(entry), steps.fields_of(entry.backend, entry.side, steps.NAMES)
    context = entry.context(
        steps.NAMES,
        rows=entry.rows(fields),
        faults=faults(entry, fields),
        placeholders=[(f"{{{name}}}", _value(name, subject)) for name in naming.LENGTHS],
        **_shown(storage, subject),
    )
    return render(entry.request, f"storages/wizard/{template}", context)


def _shown(storage: ExportStorage | None, subject: Subject) -> dict[str, Any]:
    """The whole key of one object, or nothing where the settings make none."""
    if storage is None:
        return {}
    try:
        key = storage.client().root + naming.render(storage, [subject])[0]
    except StorageError as error:
        return {"problem": str(error)}
    return {"example": key, "whole_task": naming.form_of(storage) is Form.TASK}


def _value(name: str, subject: Subject) -> str:
    return naming.Template((naming.Piece(name, True),)).name(subject)


def _subject(entry: Entry) -> Subject:
    """The newest annotation of the project; a made-up one of its newest task, or of a task that might be, if it has none."""
    pk = entry.project.pk
    newest = Annotation.objects.filter(project_id=pk).order_by("-id").values_list("id", flat=True).first()
    if newest and (found := origins.lookup(Form.ANNOTATION, [newest])):
        return found[newest]
    task = Task.objects.filter(project_id=pk).order_by("-id").values_list("id", flat=True).first()
    if task and (found := origins.lookup(Form.TASK, [task])):
        return found[task]._replace(annotation_id=1)
    return Subject(pk, 1, 1, timezone.now(), "images/harbour.jpg", "images/")


urlpatterns = [
    path("names", names, name="wizard-names"),
    path("example", example, name="wizard-example"),
]
