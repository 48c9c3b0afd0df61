"""Who may open a page, and the project and storage that its path names."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from projects.access import key_of, visible_projects
from projects.models import Project
from storages.backends import BACKENDS
from storages.base import Backend, Storage
from storages.fields import secret_names
from users.pages.access import member_page

SOURCE, TARGET = "source", "target"
DIRECTIONS = {SOURCE: "import", TARGET: "export"}  # side in a page's path: direction in the API


def page(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """For signed-in active members; a ``project`` in the path becomes a Project that they see, else 404."""

    @wraps(view)
    @member_page
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "project" in kwargs:
            kwargs["project"] = find_project(request, kwargs["project"])
        return view(request, *args, **kwargs)

    return checked


def find_project(request: HttpRequest, pk: int) -> Project:
    """Raises Http404."""
    if found := visible_projects(request.user).filter(pk=key_of(pk)).first():
        return found
    raise Http404("There is no such project, or you may not see it.")


def backend_of(type: str) -> Backend:
    """Raises Http404."""
    if found := BACKENDS.get(type):
        return found
    raise Http404("There is no such kind of storage.")


def side_of(direction: str) -> str:
    return next(side for side, name in DIRECTIONS.items() if name == direction)


def model_of(backend: Backend, side: str) -> type[Storage]:
    return backend.import_model if side == SOURCE else backend.export_model


def find_storage(project: Project, side: str, type: str, pk: int, *, secrets: bool = True) -> Storage:
    """A storage of the project with its newest run; without ``secrets`` nothing encrypted is read. Raises Http404."""
    model = model_of(backend_of(type), side)
    rows = model.objects.select_related("run", "project").defer(*([] if secrets else secret_names(model)))
    if side in DIRECTIONS and (found := rows.filter(pk=key_of(pk), project=project).first()):
        return found
    raise Http404("There is no such storage in this project.")
