"""Keeps the counters of tasks and projects equal to the rows they count, with a handful of statements per call.

Lock order, so that two writers never wait for each other: tasks by rising id, then the project.
"""

from collections.abc import Iterator, Sequence

from django.db import transaction
from django.db.models import Case, Count, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from projects.models import Project
from tasks.models import Annotation, Prediction, Task

CHUNK = 1000  # ids in one IN list; SQLite takes at least 32,766 bound values (sqlite.org/limits.html, item 9)

# project column: how it is summed over its tasks
SUMS = {
    "task_number": Count("id"),
    "finished_task_number": Count("id", filter=Q(is_labeled=True)),
    "num_tasks_with_annotations": Count("id", filter=Q(total_annotations__gt=0)),
    "total_annotations_number": Coalesce(Sum("total_annotations"), 0),
    "skipped_annotations_number": Coalesce(Sum("cancelled_annotations"), 0),
    "total_predictions_number": Coalesce(Sum("total_predictions"), 0),
}


def chunks(ids: Sequence[int], size: int = CHUNK) -> Iterator[list[int]]:
    """``ids`` without repeats, rising, in lists of at most ``size``."""
    ordered = sorted(set(ids))
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def lock_tasks(project_id: int, task_ids: Sequence[int], *, deleting: bool = False) -> list[int]:
    """Hold the rows of these tasks until the transaction ends; return the ids that exist in the project.

    Call it before inserting an annotation or prediction: the insert itself takes a weaker lock on the task, and
    strengthening that one later could deadlock with another writer.
    """
    query = Task.objects.select_for_update(no_key=not deleting).filter(project_id=project_id, id__in=task_ids)
    return list(query.order_by("id").values_list("id", flat=True))


def totals(tasks: QuerySet[Task]) -> dict[str, int]:
    """The project columns of SUMS, summed over ``tasks``, in one statement."""
    return tasks.order_by().aggregate(**SUMS)


def _count(rows: QuerySet) -> Coalesce:
    counted = rows.filter(task=OuterRef("pk")).order_by().values("task").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


def _refresh(tasks: QuerySet[Task]) -> None:
    """Counters are part of what a task says of itself, so it counts as changed."""
    every = Annotation.objects.all()
    tasks.update(
        updated_at=timezone.now(),
        total_annotations=_count(every.filter(was_cancelled=False)),
        cancelled_annotations=_count(every.filter(was_cancelled=True)),
        total_predictions=_count(Prediction.objects.all()),
        is_labeled=Case(When(overlap__lte=_count(every), then=Value(True)), default=Value(False)),
    )


def shift(project_id: int, delta: dict[str, int], *, ground_truth: bool = True) -> None:
    """Add ``delta`` to the project's counters; ``ground_truth`` also counts that one anew (through its partial index)."""
    changes = {column: F(column) + amount for column, amount in delta.items() if amount}
    if ground_truth:
        changes["ground_truth_number"] = Annotation.objects.filter(project_id=project_id, ground_truth=True).count()
    if changes:
        Project.objects.filter(pk=project_id).update(**changes)


def recount(project_id: int, task_ids: Sequence[int]) -> None:
    """Make the counters of these tasks, and through the difference those of the project, right.

    Runs in the caller's transaction or its own; ids of other projects and unknown ids are left alone. Four statements
    for each 1,000 tasks and two more.
    """
    delta = dict.fromkeys(SUMS, 0)
    with transaction.atomic():
        held = [chunk for chunk in chunks(task_ids) if lock_tasks(project_id, chunk)]
        for chunk in held:
            tasks = Task.objects.filter(project_id=project_id, id__in=chunk)
            before = totals(tasks)
            _refresh(tasks)
            after = totals(tasks)
            delta = {column: delta[column] + after[column] - before[column] for column in SUMS}
        if held:
            shift(project_id, delta)


def repair(project_id: int) -> bool:
    """Recount every task of the project and set its counters anew; True when the project's were wrong."""
    ids = list(Task.objects.filter(project_id=project_id).order_by().values_list("id", flat=True))
    for chunk in chunks(ids):
        recount(project_id, chunk)
    with transaction.atomic():
        project = Project.objects.select_for_update(no_key=True).get(pk=project_id)
        right = totals(Task.objects.filter(project_id=project_id))
        right["ground_truth_number"] = Annotation.objects.filter(project_id=project_id, ground_truth=True).count()
        wrong = {column: value for column, value in right.items() if getattr(project, column) != value}
        if wrong:
            Project.objects.filter(pk=project_id).update(**wrong)
    return bool(wrong)


def set_overlap(project_id: int) -> None:
    """Give every task of the project its present maximum_annotations as overlap, and finish or reopen tasks by it.

    Chunks of 1,000 tasks, each in a transaction of its own, so that a large project does not stop its annotators.
    """
    overlap = Project.objects.filter(pk=project_id).values_list("maximum_annotations", flat=True).first()
    if overlap is None:
        return
    stale = Task.objects.filter(project_id=project_id).exclude(overlap=overlap)
    for chunk in chunks(list(stale.order_by().values_list("id", flat=True))):
        with transaction.atomic():
            tasks = Task.objects.filter(id__in=lock_tasks(project_id, chunk))
            before = totals(tasks)
            labeled = Case(
                When(total_annotations__gte=overlap - F("cancelled_annotations"), then=Value(True)), default=Value(False)
            )
            tasks.update(overlap=overlap, is_labeled=labeled, updated_at=timezone.now())
            after = totals(tasks)
            shift(project_id, {column: after[column] - before[column] for column in SUMS}, ground_truth=False)
