"""The start page: the projects of the signed-in user's organization with their storages; four queries."""

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from projects.access import visible_projects
from storages import status
from storages.backends import BACKENDS
from storages.base import ExportStorage, ImportStorage, Storage
from users.organizations import is_active_member
from users.permissions import IsMember

SHOWN = 100  # projects, newest first


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Projects with counts and, per storage, what its last sync came to. Raises PermissionDenied for revoked members."""
    if not is_active_member(request.user):
        raise PermissionDenied(IsMember.message)
    storages = [
        Prefetch(f"{side}_storages", model.objects.select_related("run"))
        for side, model in (("import", ImportStorage), ("export", ExportStorage))
    ]
    projects = visible_projects(request.user).order_by("-id").prefetch_related(*storages)[:SHOWN]
    rows = [
        {
            "project": project,
            "storages": [card(s, "Source") for s in project.import_storages.all()]
            + [card(s, "Target") for s in project.export_storages.all()],
        }
        for project in projects
    ]
    return render(request, "storages/home.html", {"rows": rows})


def card(storage: Storage, side: str) -> dict[str, str | int | None]:
    """The words shown for one storage."""
    summary = status.summary(storage)
    title = BACKENDS[storage.type].title
    return {
        "side": side,
        "type": title,
        "title": storage.title or f"Untitled {title}",
        "status": summary["status"].replace("_", " ").capitalize(),
        "state": summary["status"],
        "count": summary["last_sync_count"],
        "last_sync": summary["last_sync"],
        "error": storage.run.error.partition("\n")[0] if storage.run else "",
    }


urlpatterns = [path("", home, name="home")]
