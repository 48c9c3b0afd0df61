"""The table of a project's tasks: where each came from, what it shows, whether it is annotated."""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from django.db.models import Case, F, JSONField, When
from django.db.models.fields import TextField
from django.db.models.functions import Cast, Length
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from projects.label_config import first_data_key
from projects.models import Project
from storages.base import ImportStorage
from storages.links import ImportLink
from storages.media.resolve import NOBODY, Sources, load_sources
from storages.pages import task_search
from storages.pages.access import page
from storages.pages.media_kinds import FILE, LINK, Reader, Value, tags_of
from storages.pages.media_policy import allow_media
from storages.pages.words import title_of
from tasks.models import Task
from tasks.shapes import rename_undefined

LARGEST = 256 * 1024  # characters of JSON: the data of a larger task are not loaded for the table
LOOKED_AT = 50  # values of one task
EXCERPT = 120  # characters of a text


@dataclass(frozen=True)
class Row:
    """A line of the table. ``medium``: the first of ``media`` objects; ``excerpt``: the first text where there is none."""

    id: int
    created_at: datetime
    annotations: int
    predictions: int
    key: str
    storage: ImportStorage | None
    storage_title: str
    medium: Value | None
    media: int
    excerpt: str


@require_safe
@page
def tasks(request: HttpRequest, project: Project) -> HttpResponse:
    """A page of tasks by their ids. Filters in the query string: name, storage, annotated; place: after or before an id."""
    storages = storages_of(project)
    wanted = task_search.read(request.GET, storages)
    found = task_search.find(project, wanted)
    sources = load_sources([project.pk])[project.pk]
    context = {
        "project": project,
        "section": "tasks",
        "wanted": wanted,
        "found": found,
        "rows": _rows(project, found.ids, storages, sources),
        "storages": [(pk, title_of(storage)) for pk, storage in storages.items()],
        "states": task_search.STATES.items(),
        "counts": _counts(project),
        "window": task_search.WINDOW,
    }
    return allow_media(render(request, "storages/tasks.html", context), sources)


def storages_of(project: Project) -> dict[int, ImportStorage]:
    """The project's sources by id, without their settings."""
    rows = project.import_storages.order_by("id").only("id", "type", "title", "project_id")
    return {storage.pk: storage for storage in rows}


def _counts(project: Project) -> list[tuple[str, int]]:
    counted = [("task", project.task_number), ("annotation", project.total_annotations_number)]
    counted.append(("prediction", project.total_predictions_number))
    told = [(f"{name}{'' if count == 1 else 's'}", count) for name, count in counted]
    return [*told, ("annotated", project.num_tasks_with_annotations)]


def _rows(project: Project, ids: list[int], storages: dict[int, ImportStorage], sources: Sources) -> list[Row]:
    """Two queries, whatever the number of tasks."""
    fits = When(weight__lte=LARGEST, then=F("data"))
    tasks = Task.objects.filter(pk__in=ids).order_by("pk").annotate(weight=Length(Cast("data", TextField())))
    tasks = tasks.annotate(light=Case(fits, default=None, output_field=JSONField()))
    links: dict[int, tuple[int, str]] = {}
    for task_id, *link in ImportLink.objects.filter(task__in=ids).order_by("pk").values_list("task_id", "storage_id", "key"):
        links.setdefault(task_id, tuple(link))
    tags, first = tags_of(project.label_config), first_data_key(project.label_config)
    columns = ("pk", "light", "created_at", "total_annotations", "total_predictions")
    rows = []
    for pk, data, created_at, annotations, predictions in tasks.values_list(*columns):
        own = links.get(pk, NOBODY)
        storage = storages.get(own[0])
        shown = _shown(Reader(pk, sources, own, tags), rename_undefined(data, first))
        title = title_of(storage) if storage else ""
        rows.append(Row(pk, created_at, annotations, predictions, own[1] or "", storage, title, *shown))
    return rows


def _shown(reader: Reader, data: Any) -> tuple[Value | None, int, str]:
    """The first object, how many there are among the first values, and the first text."""
    if data is None:
        return None, 0, "Too large for the table; open the task."
    values = list(islice(reader.values(data), LOOKED_AT))
    objects = [value for value in values if not value.is_plain]
    objects.sort(key=lambda value: value.kind in (FILE, LINK))  # what can be shown first
    texts = " · ".join(f"{value.place}: {value.text[:EXCERPT]}" for value in values[:3] if value.is_plain)
    return next(iter(objects), None), len(objects), texts if len(texts) <= EXCERPT else texts[: EXCERPT - 1] + "…"


urlpatterns = [path("projects/<int:project>/data", tasks, name="tasks")]
