"""Changes of single tasks, annotations and predictions: each in one transaction with its signal and its counters."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from tasks import counters, signals
from tasks.bulk import delete_rows
from tasks.drafts import AnnotationDraft, PredictionDraft
from tasks.models import Annotation, Prediction, Task
from tasks.services import insert_annotations, insert_predictions


def _hold(project_id: int, task_ids: Sequence[int]) -> None:
    """Lock the tasks. Raises Task.DoesNotExist when one was deleted meanwhile."""
    if len(counters.lock_tasks(project_id, task_ids)) != len(set(task_ids)):
        raise Task.DoesNotExist("a task was deleted while it was being changed")


def _announce(project_id: int, pairs: list[tuple[int, int]], editor_id: int | None) -> None:
    signals.annotations_changed.send(Annotation, project_id=project_id, pairs=pairs, deleted=False)
    _settle(project_id, [task_id for _, task_id in pairs], editor_id)


def _settle(project_id: int, task_ids: list[int], editor_id: int | None) -> None:
    Task.objects.filter(id__in=task_ids).update(updated_at=timezone.now(), updated_by=editor_id)
    counters.recount(project_id, task_ids)


@transaction.atomic
def annotate(task: Task, editor_id: int, fields: dict[str, Any]) -> int:
    """Save an annotation of ``task`` with these columns; return its id. Raises Task.DoesNotExist, IntegrityError."""
    _hold(task.project_id, [task.pk])
    annotation = Annotation.objects.create(task_id=task.pk, project_id=task.project_id, updated_by_id=editor_id, **fields)
    _announce(task.project_id, [(annotation.pk, task.pk)], editor_id)
    return annotation.pk


@transaction.atomic
def annotate_many(project_id: int, task_ids: list[int], draft: AnnotationDraft) -> list[int]:
    """Give every task, at most 10,000, an annotation of its own after ``draft``; return their ids. Raises Task.DoesNotExist."""
    for chunk in counters.chunks(task_ids):
        _hold(project_id, chunk)
    ids = insert_annotations(project_id, [(task_id, draft) for task_id in task_ids])
    _settle(project_id, task_ids, draft.updated_by)
    return ids


@transaction.atomic
def edit_annotation(annotation: Annotation, editor_id: int, changes: dict[str, Any]) -> None:
    """Write these columns. Raises Task.DoesNotExist when annotation or task is gone, IntegrityError."""
    _hold(annotation.project_id, [annotation.task_id])
    changes = {**changes, "updated_at": timezone.now(), "updated_by_id": editor_id}
    if not Annotation.objects.filter(pk=annotation.pk).update(**changes):
        raise Task.DoesNotExist("the annotation was deleted while it was being changed")
    _announce(annotation.project_id, [(annotation.pk, annotation.task_id)], editor_id)


@transaction.atomic
def predict(task: Task, fields: dict[str, Any]) -> int:
    """Save a prediction for ``task``; return its id. Raises Task.DoesNotExist."""
    _hold(task.project_id, [task.pk])
    prediction = Prediction.objects.create(task_id=task.pk, project_id=task.project_id, **fields)
    counters.recount(task.project_id, [task.pk])
    return prediction.pk


@transaction.atomic
def predict_many(project_id: int, drafts: Sequence[tuple[int, PredictionDraft]]) -> None:
    """Save ``(task id, draft)`` pairs of one project. Raises Task.DoesNotExist."""
    task_ids = [task_id for task_id, _ in drafts]
    for chunk in counters.chunks(task_ids):
        _hold(project_id, chunk)
    insert_predictions(project_id, drafts)
    counters.recount(project_id, task_ids)


@transaction.atomic
def edit_prediction(prediction: Prediction, changes: dict[str, Any]) -> None:
    """Write these columns. Raises Task.DoesNotExist when prediction or task is gone."""
    _hold(prediction.project_id, [prediction.task_id])
    if not Prediction.objects.filter(pk=prediction.pk).update(**changes):
        raise Task.DoesNotExist("the prediction was deleted while it was being changed")


@transaction.atomic
def delete_prediction(prediction: Prediction) -> None:
    """Delete it; one that is gone already is fine."""
    counters.lock_tasks(prediction.project_id, [prediction.task_id])
    delete_rows(Prediction, "id", [prediction.pk])
    counters.recount(prediction.project_id, [prediction.task_id])


@transaction.atomic
def edit_task(task: Task, editor_id: int, changes: dict[str, Any]) -> None:
    """Write these columns. Raises Task.DoesNotExist when it is gone."""
    rows = Task.objects.filter(pk=task.pk)
    if not rows.update(**changes, updated_at=timezone.now(), updated_by_id=editor_id):
        raise Task.DoesNotExist("the task was deleted while it was being changed")
