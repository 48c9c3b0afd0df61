"""Writers that meet at the same rows: nobody deadlocks and the counters stay right."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction

from tasks import counters
from tasks.drafts import AnnotationDraft, TaskDraft
from tasks.models import Task
from tasks.services import create_tasks, delete_project, delete_tasks
from tests.conftest import client_of
from tests.tasks.checks import assert_counters_right

pytestmark = pytest.mark.django_db(transaction=True)


def together(*acts: Callable[[], Any]) -> list[Any]:
    """What the acts returned, all started at the same time on connections of their own; raises what one of them raised."""
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        start.wait(timeout=20)
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts, timeout=120))


def test_annotators_of_one_task_do_not_lose_counts(alice, project, make_tasks):
    (task_id,) = make_tasks(1)

    def annotate() -> int:
        return client_of(alice).post(f"/api/tasks/{task_id}/annotations/", {"ground_truth": True}).status_code

    assert together(*[annotate] * 6) == [201] * 6
    assert_counters_right(project)
    assert Task.objects.get().total_annotations == 6


def test_imports_into_one_project_share_no_ids(project):
    def load() -> list[int]:
        with transaction.atomic():
            return create_tasks(project, [TaskDraft({"image": "a"}, annotations=[AnnotationDraft()])] * 200)

    batches = together(*[load] * 4)
    assert len({task_id for batch in batches for task_id in batch}) == 800
    assert_counters_right(project)
    assert sorted(Task.objects.values_list("inner_id", flat=True)) == list(range(1, 801))


def test_import_annotation_recount_and_deletion_meet_without_deadlock(alice, project, make_tasks):
    ids = make_tasks(60, annotations=1, predictions=1)

    def annotate() -> None:
        for task_id in ids[::-1]:
            assert client_of(alice).post(f"/api/tasks/{task_id}/annotations/", {}).status_code in (201, 404)

    def load() -> None:
        for _ in range(10):
            with transaction.atomic():
                create_tasks(project, [TaskDraft({"image": "a"})] * 20)

    def delete() -> None:
        for start in range(0, 40, 5):
            delete_tasks(project.pk, ids[start : start + 5])

    def recount() -> None:
        for _ in range(10):
            counters.recount(project.pk, ids)

    def annotate_in_bulk() -> None:
        for start in range(40, 60, 4):
            client_of(alice).post("/api/annotations/bulk/", {"tasks": ids[start : start + 4][::-1]})

    together(annotate, load, delete, recount, annotate_in_bulk)
    assert_counters_right(project)


def test_a_project_deleted_during_an_import_leaves_no_task_behind(project, make_tasks):
    make_tasks(50, annotations=1)

    def load() -> None:
        for _ in range(20):
            try:
                with transaction.atomic():
                    create_tasks(project, [TaskDraft({"image": "a"})] * 20)
            except type(project).DoesNotExist:
                return

    together(load, lambda: delete_project(project))
    assert not Task.objects.exists()
