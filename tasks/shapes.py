"""Rows of tasks, annotations, predictions and users as JSON objects with Label Studio's keys; runs no query."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.timesince import timesince

UNDEFINED = "$undefined$"  # what Label Studio stores instead of the data key of a whole-object task
TASK_FIELDS = (
    "id data meta created_at updated_at is_labeled allow_skip overlap inner_id total_annotations cancelled_annotations"
    " total_predictions project_id updated_by_id"
).split()
ANNOTATION_FIELDS = (
    "id task_id project_id result completed_by_id was_cancelled ground_truth created_at updated_at draft_created_at lead_time"
    " import_id last_action bulk_created unique_id updated_by_id last_created_by_id parent_prediction parent_annotation"
).split()
PREDICTION_FIELDS = (
    "id task_id project_id result score model_version cluster neighbors mislabeling created_at updated_at"
).split()
USER_FIELDS = "id first_name last_name email".split()

Row = Mapping[str, Any]
Users = Mapping[int, Row]


def stamp(moment: datetime | str | None) -> str | None:
    """ISO 8601 in UTC with microseconds and ``Z``; a text is that already (tasks.stamps)."""
    return moment if moment is None or type(moment) is str else moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def rename_undefined(data: Any, key: str | None) -> Any:
    """Task data with ``$undefined$`` shown under ``key``; unchanged when there is no key or nothing to rename."""
    if not key or type(data) is not dict or UNDEFINED not in data:
        return data
    return {key if name == UNDEFINED else name: value for name, value in data.items()}


def created_username(user: Row | None) -> str:
    """`` First Last mail, id`` as Label Studio writes it, the leading blank included; empty without a user."""
    if user is None:
        return ""
    names = [user["first_name"], user["last_name"], user["email"]]
    return f" {' '.join(name for name in names if name)}, {user['id']}"


def task_shape(row: Row, key: str | None) -> dict[str, Any]:
    """The keys every form of a task has; ``key`` is where ``$undefined$`` is shown."""
    return {
        "id": row["id"],
        "data": rename_undefined(row["data"], key),
        "meta": row["meta"],
        "created_at": stamp(row["created_at"]),
        "updated_at": stamp(row["updated_at"]),
        "is_labeled": row["is_labeled"],
        "allow_skip": row["allow_skip"],
        "overlap": row["overlap"],
        "inner_id": row["inner_id"],
        "total_annotations": row["total_annotations"],
        "cancelled_annotations": row["cancelled_annotations"],
        "total_predictions": row["total_predictions"],
        "comment_count": 0,
        "unresolved_comment_count": 0,
        "last_comment_updated_at": None,
        "project": row["project_id"],
        "updated_by": row["updated_by_id"],
        "file_upload": None,
        "comment_authors": [],
    }


def annotation_shape(row: Row, users: Users, *, now: datetime | None = None, author: bool = False) -> dict[str, Any]:
    """An annotation without its task; ``author`` writes completed_by as an object, ``now`` None leaves created_ago empty."""
    return {
        "id": row["id"],
        "result": row["result"],
        "created_username": created_username(users.get(row["completed_by_id"])),
        "created_ago": timesince(row["created_at"], now) if now else "",
        "completed_by": users.get(row["completed_by_id"]) if author else row["completed_by_id"],
        **_annotation_tail(row),
    }


def _annotation_tail(row: Row) -> dict[str, Any]:
    return {
        "was_cancelled": row["was_cancelled"],
        "ground_truth": row["ground_truth"],
        "created_at": stamp(row["created_at"]),
        "updated_at": stamp(row["updated_at"]),
        "draft_created_at": stamp(row["draft_created_at"]),
        "lead_time": row["lead_time"],
        "import_id": row["import_id"],
        "last_action": row["last_action"],
        "bulk_created": row["bulk_created"],
        "task": row["task_id"],
        "project": row["project_id"],
        "updated_by": row["updated_by_id"],
        "parent_prediction": row["parent_prediction"],
        "parent_annotation": row["parent_annotation"],
        "last_created_by": row["last_created_by_id"],
    }


def exported_annotation_shape(row: Row, users: Users) -> dict[str, Any]:
    """An annotation as task exports hold it: with its unique_id, and fit to be imported again."""
    return {
        "id": row["id"],
        "completed_by": users.get(row["completed_by_id"]),
        "result": row["result"],
        "prediction": {},
        "result_count": len(row["result"] or []),
        "unique_id": str(row["unique_id"]),
        **_annotation_tail(row),
    }


def prediction_shape(row: Row, now: datetime) -> dict[str, Any]:
    """A prediction; ``created_ago`` counts up to ``now``."""
    return {
        "id": row["id"],
        "result": row["result"],
        "model_version": row["model_version"],
        "created_ago": timesince(row["created_at"], now),
        "score": row["score"],
        "cluster": row["cluster"],
        "neighbors": row["neighbors"],
        "mislabeling": row["mislabeling"],
        "created_at": stamp(row["created_at"]),
        "updated_at": stamp(row["updated_at"]),
        "model": None,
        "model_run": None,
        "task": row["task_id"],
        "project": row["project_id"],
    }
