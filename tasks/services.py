"""How tasks are born, in sets; knows nothing of HTTP or of where a task came from."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from django.db import connection
from django.db.models import F
from django.utils import timezone

from projects.jsontext import dump
from projects.models import Project
from tasks import signals
from tasks.bulk import insert_rows, reserve_ids
from tasks.deletion import delete_project, delete_tasks
from tasks.drafts import AnnotationDraft, PredictionDraft, TaskDraft
from tasks.models import Annotation, Prediction, Task
from tasks.restoring import RestoredAnnotation, RestoredPrediction, RestoredTask

__all__ = ["AnnotationDraft", "PredictionDraft", "TaskDraft", "create_tasks", "delete_project", "delete_tasks"]

TASK_COLUMNS = (
    "id project_id inner_id data meta created_at updated_at updated_by_id overlap allow_skip is_labeled"
    " total_annotations cancelled_annotations total_predictions"
).split()
ANNOTATION_COLUMNS = (
    "id task_id project_id result completed_by_id was_cancelled ground_truth created_at updated_at"
    " updated_by_id last_created_by_id draft_created_at lead_time import_id last_action bulk_created unique_id"
    " parent_prediction parent_annotation"
).split()
PREDICTION_COLUMNS = "task_id project_id result score model_version cluster neighbors mislabeling created_at updated_at".split()
AT_ONCE = 5000  # unique ids asked for in one query


class Overtaken(Exception):
    """The project's settings changed while its tasks were being written; the transaction is to be tried again."""


def create_tasks(
    project: Project,
    drafts: Sequence[TaskDraft],
    first_inner_id: int | None = None,
    also: Callable[[list[int]], None] = lambda ids: None,
) -> list[int]:
    """Save ``drafts`` as tasks of ``project`` and return their ids in the same order: the only way tasks are born in bulk.

    A dozen statements at most, whatever the number of drafts, in the caller's transaction, which holds the project's row from
    here to its end; with a ``first_inner_id`` that was reserved before, only from the last of these statements on, so that
    others may write tasks at the same time. ``also`` writes what points at the new ids, before that. Raises
    Project.DoesNotExist when the project was deleted meanwhile, Overtaken (only with ``first_inner_id``), NotStorable for data
    that no database takes (drafts of validation.parse_row never do), TransactionManagementError outside of a transaction.
    """
    if not drafts:
        return []
    first = reserve_inner_ids(project.pk, len(drafts)) if first_inner_id is None else first_inner_id
    overlap = Project.objects.values_list("maximum_annotations", flat=True).get(pk=project.pk)
    ids, now = reserve_ids(Task, len(drafts)), timezone.now()
    insert_rows(Task, TASK_COLUMNS, _task_rows(project.pk, drafts, ids, first, overlap, now))
    pairs = list(zip(ids, drafts, strict=True))
    insert_annotations(project.pk, [(task_id, annotation) for task_id, draft in pairs for annotation in draft.annotations])
    insert_predictions(project.pk, [(task_id, prediction) for task_id, draft in pairs for prediction in draft.predictions])
    also(ids)
    if first_inner_id is not None and connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # checks foreign keys now, not while the project's row is held
    _count_in(project.pk, drafts, overlap)
    return ids


def insert_annotations(project_id: int, drafts: Sequence[tuple[int, AnnotationDraft]]) -> list[int]:
    """Save ``(task id, draft)`` pairs and send annotations_changed once; return the ids. The counters are the caller's."""
    if not drafts:
        return []
    ids = reserve_ids(Annotation, len(drafts))
    free = _free({draft.unique_id for _, draft in drafts if isinstance(draft, RestoredAnnotation) and draft.unique_id})
    insert_rows(Annotation, ANNOTATION_COLUMNS, _annotation_rows(project_id, drafts, ids, free, timezone.now()))
    pairs = [(pk, task_id) for pk, (task_id, _) in zip(ids, drafts, strict=True)]
    signals.annotations_changed.send(Annotation, project_id=project_id, pairs=pairs, deleted=False)
    return ids


def insert_predictions(project_id: int, drafts: Sequence[tuple[int, PredictionDraft]]) -> None:
    """Save ``(task id, draft)`` pairs. The counters are the caller's."""
    if drafts:
        insert_rows(Prediction, PREDICTION_COLUMNS, _prediction_rows(project_id, drafts, timezone.now()))


def reserve_inner_ids(project_id: int, count: int) -> int:
    """Takes ``count`` consecutive inner ids and returns the first; nobody else is given them. Raises Project.DoesNotExist."""
    table = connection.ops.quote_name(Project._meta.db_table)
    sql = f"UPDATE {table} SET last_inner_id = last_inner_id + %s WHERE id = %s RETURNING last_inner_id"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, [count, project_id])
        row = cursor.fetchone()
    if row is None:
        raise Project.DoesNotExist(f"project {project_id} was deleted while tasks were being added to it")
    return row[0] - count + 1


def _count_in(project_id: int, drafts: Sequence[TaskDraft], overlap: int) -> None:
    """Adds the drafts to the project's counters. Raises Project.DoesNotExist, Overtaken."""
    annotated = [draft for draft in drafts if draft.annotations]
    annotations = [annotation for draft in annotated for annotation in draft.annotations]
    skipped = sum(annotation.was_cancelled for annotation in annotations)
    delta = {
        "task_number": len(drafts),
        "finished_task_number": sum(len(draft.annotations) >= overlap for draft in (annotated if overlap > 0 else drafts)),
        "num_tasks_with_annotations": sum(any(not a.was_cancelled for a in draft.annotations) for draft in annotated),
        "total_annotations_number": len(annotations) - skipped,
        "skipped_annotations_number": skipped,
        "ground_truth_number": sum(annotation.ground_truth for annotation in annotations),
        "total_predictions_number": sum(len(draft.predictions) for draft in drafts),
    }
    rows = Project.objects.filter(pk=project_id)
    changes = {column: F(column) + amount for column, amount in delta.items() if amount}
    if not rows.filter(maximum_annotations=overlap).update(**changes):
        if rows.exists():
            raise Overtaken
        raise Project.DoesNotExist(f"project {project_id} was deleted while tasks were being added to it")


def _task_rows(
    project_id: int, drafts: Sequence[TaskDraft], ids: Sequence[int], inner_id: int, overlap: int, now: datetime
) -> Iterator[tuple]:
    new = RestoredTask({}, {})
    for inner_id, (task_id, draft) in enumerate(zip(ids, drafts, strict=True), inner_id):  # noqa: B020
        data = draft.data_text or dump(draft.data)
        old = draft if isinstance(draft, RestoredTask) else new
        meta = dump(draft.meta) if draft.meta else None if old.meta is None else "{}"
        total, skipped = len(draft.annotations), 0
        if total:
            skipped = sum(annotation.was_cancelled for annotation in draft.annotations)
        yield (
            *(task_id, project_id, inner_id, data, meta, old.created_at or now, old.updated_at or now, old.updated_by),
            *(overlap, draft.allow_skip, total >= overlap, total - skipped, skipped, len(draft.predictions)),
        )


def _annotation_rows(
    project_id: int, drafts: Sequence[tuple[int, AnnotationDraft]], ids: Sequence[int], free: set[uuid.UUID], now: datetime
) -> Iterator[tuple]:
    """``free``: unique ids that may be kept. Runs no query: on PostgreSQL the connection is in the middle of a COPY."""
    new = RestoredAnnotation()
    for annotation_id, (task_id, draft) in zip(ids, drafts, strict=True):
        result = None if draft.result is None else dump(draft.result)
        old = draft if isinstance(draft, RestoredAnnotation) else new
        unique_id = old.unique_id if old.unique_id in free else uuid.uuid4()
        free.discard(unique_id)
        yield (
            *(annotation_id, task_id, project_id, result, draft.completed_by, draft.was_cancelled, draft.ground_truth),
            *(old.created_at or now, old.updated_at or now, draft.updated_by, old.last_created_by, draft.draft_created_at),
            *(draft.lead_time, draft.import_id, draft.last_action, draft.bulk_created, unique_id),
            *(draft.parent_prediction, draft.parent_annotation),
        )


def _free(wanted: set[uuid.UUID]) -> set[uuid.UUID]:
    """Those of ``wanted`` that no annotation has, in whatever project."""
    found, asked = set(wanted), list(wanted)
    for start in range(0, len(asked), AT_ONCE):
        some = Annotation.objects.filter(unique_id__in=asked[start : start + AT_ONCE])
        found.difference_update(some.values_list("unique_id", flat=True))
    return found


def _prediction_rows(project_id: int, drafts: Sequence[tuple[int, PredictionDraft]], now: datetime) -> Iterator[tuple]:
    new = RestoredPrediction(None)
    for task_id, draft in drafts:
        old = draft if isinstance(draft, RestoredPrediction) else new
        neighbors = None if old.neighbors is None else dump(old.neighbors)
        yield (
            *(task_id, project_id, dump(draft.result), draft.score, draft.model_version, old.cluster, neighbors),
            *(old.mislabeling, old.created_at or now, old.updated_at or now),
        )
