"""Which projects a list request asks for: its filters and its order, from an allow-list."""

from django.db.models import Q, QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from projects.models import Project
from projects.parameters import read_ids, read_text

ORDERINGS = {"id", "title", "created_at"}
PINNED = {"all": None, "pinned_only": False, "exclude_pinned": True}


def select_projects(projects: QuerySet[Project], request: Request) -> QuerySet[Project]:
    """``projects`` filtered by ids, title, search and filter, in the order asked for. Raises ValidationError (400)."""
    if ids := read_ids(request, "ids"):
        projects = projects.filter(pk__in=ids)
    if title := read_text(request, "title"):
        projects = projects.filter(title__icontains=title)
    if search := read_text(request, "search"):
        projects = projects.filter(Q(title__icontains=search) | Q(description__icontains=search))
    pinned = request.query_params.get("filter") or "all"
    if pinned not in PINNED:
        raise ValidationError({"filter": [f"{pinned[:50]!r} is not one of {', '.join(PINNED)}"]})
    if PINNED[pinned] is not None:
        projects = projects.filter(pinned_at__isnull=PINNED[pinned])
    return projects.order_by(*_ordering(request.query_params.get("ordering") or ""))


def _ordering(text: str) -> list[str]:
    columns = [part.strip() for part in text.split(",") if part.strip()]
    for column in columns:
        if column.removeprefix("-") not in ORDERINGS:
            raise ValidationError(
                {"ordering": [f"{column[:50]!r} is not one of {', '.join(sorted(ORDERINGS))}, with - for descending"]}
            )
    return [*columns, "-id"]
