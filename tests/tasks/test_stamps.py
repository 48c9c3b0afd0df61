"""The database prints a time exactly as Python does."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import transaction

from tasks.drafts import AnnotationDraft, TaskDraft
from tasks.models import Annotation, Task
from tasks.services import create_tasks
from tasks.shapes import stamp
from tasks.stamps import stamped

pytestmark = pytest.mark.django_db


@pytest.fixture
def task_id(project):
    with transaction.atomic():
        return create_tasks(project, [TaskDraft({"text": "x"}, annotations=[AnnotationDraft(result=[])])])[0]


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
        datetime(2026, 1, 2, 3, 4, 5, 0, UTC),
        datetime(2026, 12, 31, 23, 59, 59, 1, UTC),
        datetime(2026, 7, 1, 0, 30, 0, 120000, timezone(timedelta(hours=5, minutes=30))),
        datetime(1001, 2, 3, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
    ],
    ids=str,
)
def test_a_time_is_printed_as_python_prints_it(task_id, moment):
    Task.objects.filter(pk=task_id).update(created_at=moment)
    assert Task.objects.values_list(*stamped(["id", "created_at"])).get() == (task_id, stamp(moment.astimezone(UTC)))


def test_no_time_is_none(task_id):
    assert Annotation.objects.values_list(*stamped(["task_id", "draft_created_at"])).get() == (task_id, None)
