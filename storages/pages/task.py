"""One task as it was synced: its media, its data, its source object, its annotations and where they were exported."""

from itertools import islice
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from projects.access import key_of
from projects.label_config import first_data_key
from projects.models import Project
from storages.links import ImportLink
from storages.media.resolve import NOBODY, Sources, load_sources
from storages.pages.access import page
from storages.pages.exported import exports_of
from storages.pages.json_text import shorten, show
from storages.pages.media_kinds import Reader, tags_of
from storages.pages.media_policy import allow_media
from storages.pages.object_text import read_text
from storages.pages.words import title_of
from tasks.models import Prediction, Task
from tasks.shapes import rename_undefined

VALUES = 60  # of the data, shown one by one
LABELS = 50  # annotations, and predictions: the newest
LINK = ("id", "task_id", "row_group", "row_index", "key", "size", "modified", "etag", "flag")
OF_RAW, OF_RESULT, OF_TEXT = 200_000, 20_000, 1_000  # characters


@require_safe
@page
def task(request: HttpRequest, project: Project, task: int) -> HttpResponse:
    """Everything that is known of one task. Raises Http404."""
    row = find_task(project, task)
    sources = load_sources([project.pk])[project.pk]
    links = _links(row)
    annotations = list(row.annotations.select_related("completed_by").order_by("-pk")[:LABELS])
    context = {
        "project": project,
        "section": "tasks",
        "task": row,
        "links": [(link, title_of(link.storage)) for link in links],
        **_neighbours(row),
        **_data(row, project, sources, links),
        "annotations": [(one, _labels(one.result)) for one in annotations],
        "predictions": [(one, _labels(one.result)) for one in _predictions(row)],
        "exports": exports_of(project, row.pk, [one.pk for one in annotations]),
        "most": LABELS,
    }
    return allow_media(render(request, "storages/task.html", context), sources)


@require_safe
@page
def task_text(request: HttpRequest, project: Project, task: int) -> HttpResponse:
    """The beginning of a text object that the task's data name (``uri``), as a part of a page. Raises Http404."""
    row = find_task(project, task)
    found = read_text(row, _own(_links(row)), request.GET.get("uri", ""))
    return render(request, "storages/parts/media_text.html", {"found": found})


def find_task(project: Project, pk: int) -> Task:
    """A task of the project. Raises Http404."""
    if found := Task.objects.filter(project=project, pk=key_of(pk)).first():
        return found
    raise Http404("There is no such task in this project. It may have been deleted.")


def _links(task: Task) -> list[ImportLink]:
    wanted = [f"storage__{name}" for name in ("id", "type", "title", "project_id")]
    return list(task.import_links.select_related("storage").order_by("pk").only(*LINK, *wanted))


def _own(links: list[ImportLink]) -> tuple[int | None, str | None]:
    return (links[0].storage_id, links[0].key) if links else NOBODY


def _neighbours(task: Task) -> dict[str, int | None]:
    ids = Task.objects.filter(project=task.project_id).values_list("pk", flat=True)
    return {
        "previous": ids.filter(pk__lt=task.pk).order_by("-pk").first(),
        "next": ids.filter(pk__gt=task.pk).order_by("pk").first(),
    }


def _data(task: Task, project: Project, sources: Sources, links: list[ImportLink]) -> dict[str, Any]:
    """The values of the data one by one, and all of it as JSON."""
    data = rename_undefined(task.data, first_data_key(project.label_config))
    reader = Reader(task.pk, sources, _own(links), tags_of(project.label_config))
    values = list(islice(reader.values(data), VALUES + 1))
    return {
        "media": [value for value in values[:VALUES] if not value.is_plain],
        "texts": [(value.place, shorten(value.text, OF_TEXT)) for value in values[:VALUES] if value.is_plain],
        "more_values": len(values) > VALUES,
        "raw": show(task.data, OF_RAW),
        "meta": show(task.meta, OF_RAW) if task.meta else None,
        "broken": [str(error) for error in sources.broken],
    }


def _predictions(task: Task) -> QuerySet[Prediction]:
    return task.predictions.order_by("-pk")[:LABELS]


def _labels(result: Any) -> dict[str, Any]:
    return {"count": len(result) if isinstance(result, list) else 1, "json": show(result, OF_RESULT)}


urlpatterns = [
    path("projects/<int:project>/data/<int:task>", task, name="task"),
    path("projects/<int:project>/data/<int:task>/text", task_text, name="task-text"),
]
