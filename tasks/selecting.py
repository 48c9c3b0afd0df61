"""Which tasks of a project a request means: its filters, its order, and the items a person ticked."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from projects.access import key_of
from projects.parameters import read_flag, read_json
from tasks.filters import filter_tasks, order_tasks
from tasks.models import Task

MAX_ITEMS = 10_000  # ids in one selection


def list_tasks(project_id: int, request: Request) -> tuple[QuerySet[Task], bool]:
    """The tasks a list request asks for, and whether that is simply all of them. Raises ValidationError (400)."""
    query = read_json(request, "query")
    if query is not None and not isinstance(query, dict):
        raise ValidationError({"query": ["it must be a JSON object with filters, ordering or selectedItems"]})
    query = query or {}
    selected = read_json(request, "selectedItems")
    selected = query.get("selectedItems") if selected is None else selected
    tasks = Task.objects.filter(project_id=project_id)
    narrowed = select_tasks(filter_tasks(tasks, query.get("filters")), selected)
    if read_flag(request, "only_annotated", False):
        narrowed = narrowed.filter(total_annotations__gt=0)
    whole = narrowed is tasks
    return order_tasks(narrowed, query.get("ordering") or []), whole


def select_tasks(tasks: QuerySet[Task], selected: Any) -> QuerySet[Task]:
    """``tasks`` narrowed to ``{"all": false, "included": […]}`` or ``{"all": true, "excluded": […]}`` or ids; None: all."""
    if selected is None:
        return tasks
    if isinstance(selected, list):
        selected = {"all": False, "included": selected}
    if not isinstance(selected, dict) or not isinstance(selected.get("all", False), bool):
        raise ValidationError({"selectedItems": ["it must be an object with all (true or false) and included or excluded"]})
    if selected.get("all"):
        excluded = _ids(selected.get("excluded"), "excluded")
        return tasks.exclude(pk__in=excluded) if excluded else tasks
    return tasks.filter(pk__in=_ids(selected.get("included"), "included"))


def _ids(value: Any, name: str) -> list[int]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MAX_ITEMS:
        raise ValidationError({"selectedItems": [f"{name} must be a list of at most {MAX_ITEMS:,} task ids"]})
    ids = [key_of(item) if type(item) is int else 0 for item in value]
    if 0 in ids:
        raise ValidationError({"selectedItems": [f"{name} must hold task ids only"]})
    return ids
