"""How tasks, annotations and projects die, in sets: what points at a row goes first, then the row."""

from collections.abc import Sequence

from django.db import transaction

from projects.models import Project
from tasks import counters, signals
from tasks.bulk import delete_rows
from tasks.models import Annotation, Prediction, Task


def delete_tasks(project_id: int, task_ids: Sequence[int] | None = None, *, annotated: bool = True) -> int:
    """Delete these tasks (None: all) of the project with their annotations and predictions; return how many there were.

    With ``annotated=False`` tasks that somebody has annotated (or skipped) stay. Chunks of 1,000 tasks, each in a
    transaction of its own unless the caller holds one; ids of other projects are ignored.
    """
    if task_ids is None:
        task_ids = list(Task.objects.filter(project_id=project_id).order_by().values_list("id", flat=True))
    return sum(_delete_chunk(project_id, chunk, annotated) for chunk in counters.chunks(task_ids))


@transaction.atomic
def _delete_chunk(project_id: int, chunk: list[int], annotated: bool) -> int:
    ids = counters.lock_tasks(project_id, chunk, deleting=True)
    if not annotated:  # nobody can add one to a task that is held
        kept = set(Annotation.objects.filter(task_id__in=ids).values_list("task_id", flat=True))
        ids = [pk for pk in ids if pk not in kept]
    if not ids:
        return 0
    before = counters.totals(Task.objects.filter(id__in=ids))
    pairs = list(Annotation.objects.filter(task_id__in=ids).order_by("id").values_list("id", "task_id"))
    if pairs:
        delete_rows(Annotation, "task_id", ids)
        signals.annotations_changed.send(Annotation, project_id=project_id, pairs=pairs, deleted=True)
    delete_rows(Prediction, "task_id", ids)
    signals.tasks_deleting.send(Task, project_id=project_id, task_ids=ids)
    delete_rows(Task, "id", ids)
    counters.shift(project_id, {column: -amount for column, amount in before.items()}, ground_truth=bool(pairs))
    return len(ids)


def delete_project(project: Project) -> None:
    """Delete the project with all its tasks; other apps hear project_closing, tasks_deleting, then project_deleting."""
    signals.project_closing.send(Project, project_id=project.pk)
    gone = False
    while not gone:
        delete_tasks(project.pk)
        gone = _delete_empty(project.pk)


@transaction.atomic
def _delete_empty(project_id: int) -> bool:
    """Delete the project unless it got tasks meanwhile; whoever adds tasks now waits for its row and finds it gone."""
    Project.objects.select_for_update().filter(pk=project_id).first()
    if Task.objects.filter(project_id=project_id).exists():
        return False  # deleting them here would lock tasks after the project: the wrong order
    signals.project_deleting.send(Project, project_id=project_id)
    delete_rows(Project, "id", [project_id])
    return True


@transaction.atomic
def delete_annotations(project_id: int, annotation_ids: Sequence[int]) -> int:
    """Delete these annotations of the project, at most 1,000; return how many there were. Others' ids are ignored."""
    owned = Annotation.objects.filter(project_id=project_id, id__in=annotation_ids)
    counters.lock_tasks(project_id, sorted(set(owned.values_list("task_id", flat=True))))
    pairs = list(owned.order_by("id").values_list("id", "task_id"))
    if not pairs:
        return 0
    delete_rows(Annotation, "id", [annotation_id for annotation_id, _ in pairs])
    signals.annotations_changed.send(Annotation, project_id=project_id, pairs=pairs, deleted=True)
    counters.recount(project_id, [task_id for _, task_id in pairs])
    return len(pairs)
