"""Reads the rows behind many tasks at once: a constant number of queries, whatever the number of tasks."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import QuerySet

from projects.label_config import first_data_key
from projects.models import Project
from tasks.models import Annotation, Prediction, Task
from tasks.shapes import ANNOTATION_FIELDS, PREDICTION_FIELDS, TASK_FIELDS, USER_FIELDS, Row
from tasks.stamps import stamped
from users.models import User


def read_tasks(task_ids: Sequence[int]) -> list[Row]:
    """Task rows in the order of ``task_ids``; ids without a task are left out."""
    rows = {row["id"]: row for row in Task.objects.filter(id__in=task_ids).order_by().values(*TASK_FIELDS)}
    return [rows[task_id] for task_id in task_ids if task_id in rows]


def read_annotations(annotations: QuerySet[Annotation]) -> list[Row]:
    """Annotation rows by rising id."""
    return list(annotations.order_by("id").values(*ANNOTATION_FIELDS))


def read_stamped(rows: QuerySet, columns: Sequence[str]) -> list[Row]:
    """Rows by rising id whose times are text already, for what prints all of them."""
    return [dict(zip(columns, row, strict=True)) for row in rows.order_by("id").values_list(*stamped(columns))]


def read_predictions(predictions: QuerySet[Prediction]) -> list[Row]:
    """Prediction rows by rising id."""
    return list(predictions.order_by("id").values(*PREDICTION_FIELDS))


def read_users(ids: Iterable[int | None]) -> dict[int, Row]:
    """``{id, first_name, last_name, email}`` of each user, by id."""
    wanted = {user_id for user_id in ids if user_id is not None}
    return {row["id"]: row for row in User.objects.filter(pk__in=wanted).values(*USER_FIELDS)} if wanted else {}


def read_data_keys(project_ids: Iterable[int]) -> dict[int, str | None]:
    """The first data key of each project's label config, by project id."""
    configs = Project.objects.filter(pk__in=set(project_ids)).order_by().values_list("id", "label_config")
    return {project_id: first_data_key(config) for project_id, config in configs}


def by_task(rows: Iterable[Row]) -> dict[int, list[Any]]:
    """Rows grouped by their task_id; a task without rows gives []."""
    groups: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row["task_id"]].append(row)
    return groups
