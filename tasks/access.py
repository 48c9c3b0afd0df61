"""Which tasks, annotations and predictions a user may see: those of visible projects. Others do not exist for them."""

from collections.abc import Sequence
from typing import TypeVar

from django.db.models import Model, QuerySet
from rest_framework.exceptions import NotFound

from projects.access import key_of
from tasks.models import Annotation, Prediction, Task
from users.models import User

M = TypeVar("M", bound=Model)


def visible(user: User, model: type[M]) -> QuerySet[M]:
    """The rows of ``model`` (Task, Annotation, Prediction) in the projects of the user's active organization."""
    if user.active_organization_id is None:
        return model.objects.none()
    return model.objects.filter(project__organization_id=user.active_organization_id)


def _get(user: User, model: type[M], pk: int | str | None) -> M:
    row = visible(user, model).filter(pk=key_of(pk)).first()
    if row is None:
        raise NotFound(f"No {model.__name__} matches the given query.")
    return row


def get_task(user: User, pk: int | str | None) -> Task:
    """The visible task ``pk``. Raises NotFound (404)."""
    return _get(user, Task, pk)


def get_annotation(user: User, pk: int | str | None) -> Annotation:
    """The visible annotation ``pk``. Raises NotFound (404)."""
    return _get(user, Annotation, pk)


def get_prediction(user: User, pk: int | str | None) -> Prediction:
    """The visible prediction ``pk``. Raises NotFound (404)."""
    return _get(user, Prediction, pk)


def tasks_by_project(user: User, task_ids: Sequence[int]) -> dict[int, list[int]]:
    """The tasks grouped by project. Raises NotFound (404) naming the first id that is not visible."""
    groups: dict[int, list[int]] = {}
    found = dict(visible(user, Task).filter(pk__in=task_ids).values_list("id", "project_id"))
    for task_id in dict.fromkeys(task_ids):
        if task_id not in found:
            raise NotFound(f"No Task matches the given query: {task_id}.")
        groups.setdefault(found[task_id], []).append(task_id)
    return groups
