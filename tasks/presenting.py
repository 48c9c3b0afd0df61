"""Tasks as the API answers them, a page at a time; other apps may change the page through tasks_presenting."""

from collections.abc import Sequence
from datetime import datetime
from statistics import fmean
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from projects.jsontext import dump
from tasks.models import Annotation, Prediction, Task
from tasks.reading import by_task, read_annotations, read_data_keys, read_predictions, read_tasks, read_users
from tasks.shapes import ANNOTATION_FIELDS, PREDICTION_FIELDS, Row, Users, annotation_shape, prediction_shape, stamp, task_shape
from tasks.signals import tasks_presenting

FULL_ONLY = ("predictions", "annotations", "completed_at", "predictions_score", "avg_lead_time", "draft_exists")


def present_tasks(task_ids: Sequence[int], *, full: bool, resolve: bool, signed_for: int | None = None) -> list[dict[str, Any]]:
    """The tasks in the given order: ``full`` with annotations and predictions, ``resolve`` with URIs browsers can load.

    ``signed_for``: the user who may load them without signing in.

    Five queries, and those of the signal's receivers, whatever the number of tasks.
    """
    rows, now = read_tasks(task_ids), timezone.now()
    annotations = read_annotations(Annotation.objects.filter(task_id__in=task_ids))
    predictions = by_task(read_predictions(Prediction.objects.filter(task_id__in=task_ids)))
    users = read_users(row["completed_by_id"] for row in annotations)
    keys = read_data_keys(row["project_id"] for row in rows)
    owned = by_task(annotations)
    payloads = [_listed(row, owned[row["id"]], predictions[row["id"]], users, keys.get(row["project_id"]), now) for row in rows]
    tasks_presenting.send(Task, payloads=payloads, resolve=resolve, signed_for=signed_for)
    if not full:
        payloads = [{name: value for name, value in payload.items() if name not in FULL_ONLY} for payload in payloads]
    return payloads


def present_flat(task_ids: Sequence[int], *, resolve: bool) -> list[dict[str, Any]]:
    """The tasks' own keys only, without annotations and predictions."""
    rows = read_tasks(task_ids)
    keys = read_data_keys(row["project_id"] for row in rows)
    payloads = [{**task_shape(row, keys.get(row["project_id"])), "storage_filename": None} for row in rows]
    tasks_presenting.send(Task, payloads=payloads, resolve=resolve, signed_for=None)
    return payloads


def _listed(
    row: Row, annotations: list[Row], predictions: list[Row], users: Users, key: str | None, now: datetime
) -> dict[str, Any]:
    lead_times = [annotation["lead_time"] for annotation in annotations if annotation["lead_time"] is not None]
    scores = [prediction["score"] for prediction in predictions if prediction["score"] is not None]
    finished = max((annotation["created_at"] for annotation in annotations), default=None) if row["is_labeled"] else None
    authors = dict.fromkeys(a["completed_by_id"] for a in annotations if a["completed_by_id"] is not None)
    versions = dict.fromkeys(prediction["model_version"] for prediction in predictions if prediction["model_version"])
    return {
        **task_shape(row, key),
        "predictions": [prediction_shape(prediction, now) for prediction in predictions],
        "annotations": [annotation_shape(annotation, users, now=now, author=True) for annotation in annotations],
        "drafts": [],
        "annotators": list(authors),
        "completed_at": stamp(finished),
        "annotations_results": dump([annotation["result"] for annotation in annotations]) if annotations else "",
        "predictions_results": dump([prediction["result"] for prediction in predictions]) if predictions else "",
        "predictions_score": fmean(scores) if scores else None,
        "storage_filename": None,
        "annotations_ids": ",".join(str(annotation["id"]) for annotation in annotations),
        "predictions_model_versions": ",".join(versions),
        "avg_lead_time": fmean(lead_times) if lead_times else None,
        "draft_exists": False,
        "updated_by": [{"user_id": row["updated_by_id"]}] if row["updated_by_id"] else [],
    }


def present_annotations(annotations: QuerySet[Annotation], ordering: str) -> list[dict[str, Any]]:
    """Annotations as their own endpoints answer them, ``completed_by`` as an id."""
    rows, now = list(annotations.order_by(ordering, "id").values(*ANNOTATION_FIELDS)), timezone.now()
    users = read_users(row["completed_by_id"] for row in rows)
    return [annotation_shape(row, users, now=now) for row in rows]


def present_predictions(predictions: QuerySet[Prediction]) -> list[dict[str, Any]]:
    """Predictions as their own endpoints answer them, in the order of the query set."""
    now = timezone.now()
    return [prediction_shape(row, now) for row in predictions.values(*PREDICTION_FIELDS)]
