"""Projects: the list with counts and storage health, and one project at a glance; a handful of queries each."""

from django.core.paginator import Paginator
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from projects import label_config
from projects.access import visible_projects
from projects.models import Project
from storages.base import ExportStorage, ImportStorage, Storage
from storages.fields import secret_names
from storages.pages import words
from storages.pages.access import SOURCE, TARGET, page

PER_PAGE = 24
PARENTS = ((SOURCE, ImportStorage), (TARGET, ExportStorage))


@require_safe
@page
def project_list(request: HttpRequest) -> HttpResponse:
    search = request.GET.get("search", "").strip()
    projects = visible_projects(request.user).order_by("-id").prefetch_related(*_storages())
    if search:
        projects = projects.filter(title__icontains=search.replace("\x00", ""))
    shown = Paginator(projects, PER_PAGE).get_page(request.GET.get("page"))
    rows = [{"project": project, "storages": health_of(project)} for project in shown]
    return render(request, "storages/projects.html", {"rows": rows, "shown": shown, "search": search})


@require_safe
@page
def overview(request: HttpRequest, project: Project) -> HttpResponse:
    [loaded] = visible_projects(request.user).filter(pk=project.pk).prefetch_related(*_storages())
    keys = label_config.data_keys(project.label_config or label_config.EMPTY)
    context = {"project": loaded, "section": "overview", "storages": health_of(loaded), "data_keys": keys}
    return render(request, "storages/project.html", context)


def _storages() -> list[Prefetch]:
    """Every storage with its newest run, and no secret."""

    def rows(model: type[Storage]) -> QuerySet:
        return model.objects.select_related("run").defer(*secret_names(model)).order_by("id")

    return [Prefetch(f"{model._meta.model_name.removesuffix('storage')}_storages", rows(model)) for _, model in PARENTS]


def health_of(project: Project) -> list[dict[str, object]]:
    """What to say of each storage; of a ``project`` whose storages were prefetched."""
    sides = ((SOURCE, project.import_storages.all()), (TARGET, project.export_storages.all()))
    return [
        {
            "storage": storage,
            "side": side,
            "title": words.title_of(storage),
            "state": words.state_of(storage.run),
            "error": storage.run.error.partition("\n")[0] if storage.run else "",
        }
        for side, storages in sides
        for storage in storages
    ]


urlpatterns = [
    path("", project_list, name="home"),
    path("projects", project_list, name="projects"),
    path("projects/<int:project>/", overview, name="project"),
]
