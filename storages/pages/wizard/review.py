"""Review & Confirm: what will be saved, what a sync would find, and the first task as it will look."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_safe

from storages import budget
from storages.api.forms import IMPORT_METHODS, label_of
from storages.api.preview import preview_files
from storages.base import ImportStorage
from storages.client import ObjectInfo
from storages.errors import StorageError
from storages.pages.wizard import steps
from storages.pages.wizard.entry import Entry
from storages.pages.wizard.opening import entry_page
from storages.pages.wizard.preview import counted, current
from storages.pages.wizard.saving import faults, finish
from storages.pages.words import location_of
from storages.steps import recipe
from storages.sync import read
from tasks.drafts import TaskDraft

LOOKED_AT = 1000  # objects, for their size and the first task
SECONDS = 15.0  # to read the first of them
LONGEST = 4000  # characters shown of a task


@require_http_methods(["GET", "HEAD", "POST"])
@entry_page(steps.REVIEW)
def review(request: HttpRequest, entry: Entry) -> HttpResponseBase:
    """The summary; posting saves, and with ``sync`` begins the first sync."""
    if request.method == "POST" and (answer := finish(entry, sync="sync" in request.POST)):
        return answer
    context = entry.context(steps.REVIEW, facts=_facts(entry), faults=faults(entry, ()), backend=entry.backend)
    return render(request, "storages/wizard/review.html", context)


@require_safe
@entry_page(steps.REVIEW)
def summary(request: HttpRequest, entry: Entry) -> HttpResponseBase:
    """What a sync would find now, loaded behind the page."""
    context = counted(entry)
    if "plan" in context:
        storage = current(entry)
        context |= _first(storage) if storage else {}
    return render(request, "storages/wizard/summary.html", context)


def _facts(entry: Entry) -> list[tuple[str, str]]:
    """Label and value of what the user has chosen; no secrets."""
    values = entry.values
    place = {name: values[name] for name in entry.backend.location if name in values}
    storage = entry.model(**place, type=entry.backend.name)
    facts = [("Provider", entry.backend.title), ("Storage Title", values.get("title") or ""), *location_of(storage)]
    asked = steps.fields_of(entry.backend, entry.side, steps.SETTINGS)
    for name in steps.IMPORT_FIELDS:
        if name in asked and name not in entry.backend.location:
            facts.append((label_of(entry.model._meta.get_field(name)), _word(name, values.get(name))))
    return facts


def _word(name: str, value: Any) -> str:
    """A setting as it is read: the import method by its name, switches as on or off."""
    if name == "use_blob_urls":
        return next(one["label"] for one in IMPORT_METHODS if str(one["value"]) == str(value or False))
    if isinstance(value, bool):
        return "On" if value else "Off"
    return str(value) if value else "Not set"


def _first(storage: ImportStorage) -> dict[str, Any]:
    """Sizes of the first objects, and the task that the first of them becomes; template context."""
    try:
        rows = [row for row in preview_files(storage, LOOKED_AT) if row["size"] is not None]
        infos = [ObjectInfo(row["key"], row["size"], row["last_modified"]) for row in rows]
        with budget.limited(SECONDS):
            draft, key = next(_tasks(storage, infos), (None, ""))
    except StorageError as error:
        return {"task_problem": str(error)}
    size = sum(info.size for info in infos)
    if draft is None:
        return {"size": size, "sized": len(infos)}
    text = json.dumps(draft.data, indent=2, ensure_ascii=False)
    about = {"annotations": len(draft.annotations), "predictions": len(draft.predictions)}
    return {"size": size, "sized": len(infos), "task": text[:LONGEST], "cut": len(text) > LONGEST, "task_key": key, **about}


def _tasks(storage: ImportStorage, infos: list[ObjectInfo]) -> Iterator[tuple[TaskDraft, str]]:
    """The tasks of the objects as a sync makes them, with the key of each. Raises StorageError."""
    client = storage.client()
    made = recipe(storage, client)
    for info in infos:
        if made.whole_objects:
            yield made.task_of_uri(client.uri(info.key)), info.key
        elif not read.refusal(info.key, info.size, made.limits):
            with closing(read.rows(client, info, made.limits)) as rows:
                for row in rows:
                    if row.error:
                        raise StorageError(f"{info.key}: {row.error}")
                    yield made.task_of_row(row.value), info.key


urlpatterns = [
    path("review", review, name="wizard-review"),
    path("summary", summary, name="wizard-summary"),
]
