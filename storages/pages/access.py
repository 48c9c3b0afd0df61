"""Who may open a page, and the project and storage that its path names."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from projects.access import key_of, visible_projects
from projects.models import Project
from storages.backends import BACKENDS
from storages.base import Backend, Storage
from users.organizations import is_active_member
from users.permissions import IsMember

SOURCE, TARGET = "source", "target"
DIRECTIONS = {SOURCE: "import", TARGET: "export"}  # side in a page's path: direction in the API


def page(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """For signed-in active members; a ``project`` in the path becomes a Project that they see, else 404."""

    @wraps(view)
    @login_required
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not is_active_member(request.user):
            raise PermissionDenied(IsMember.message)
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


def model_of(backend: Backend, side: str) -> type[Storage]:
    return backend.import_model if side == SOURCE else backend.export_model


def find_storage(project: Project, side: str, type: str, pk: int) -> Storage:
    """A storage of the project with its newest run. Raises Http404."""
    rows = model_of(backend_of(type), side).objects.select_related("run", "project")
    if side in DIRECTIONS and (found := rows.filter(pk=key_of(pk), project=project).first()):
        return found
    raise Http404("There is no such storage in this project.")
