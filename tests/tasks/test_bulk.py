"""Bulk writes: what arrives in the tables, and that nothing half-written stays."""

import pytest
from django.db import IntegrityError, connection, transaction

from tasks.bulk import delete_rows, insert_rows, reserve_ids
from tasks.models import Prediction, Task

pytestmark = pytest.mark.django_db
COLUMNS = ["task_id", "project_id", "result", "score", "model_version", "mislabeling", "created_at", "updated_at"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "write", [lambda: insert_rows(Task, ["id"], []), lambda: reserve_ids(Task, 1), lambda: delete_rows(Task, "id", [1])]
)
def test_bulk_writes_outside_a_transaction_are_refused(write):
    with pytest.raises(transaction.TransactionManagementError):
        write()


@pytest.mark.parametrize("version", ["tab\tnewline\n", "back\\slash \\N", "ünïcödé 船", "", "quote ' \" %s"])
def test_text_arrives_as_it_was_given(project, make_tasks, version):
    (task_id,) = make_tasks(1)
    moment = Task.objects.get(pk=task_id).created_at
    row = (task_id, project.pk, '[{"text": "a\\nb"}]', 0.25, version, 0.0, moment, moment)
    assert insert_rows(Prediction, COLUMNS, iter([row])) == 1
    saved = Prediction.objects.get()
    assert (saved.model_version, saved.result, saved.score, saved.created_at) == (version, [{"text": "a\nb"}], 0.25, moment)


def test_a_bad_row_leaves_nothing_behind(project, make_tasks):
    (task_id,) = make_tasks(1)
    moment = Task.objects.get().created_at
    good = (task_id, project.pk, "[]", None, "v", 0.0, moment, moment)
    bad = (task_id, project.pk, None, None, "v", 0.0, moment, moment)
    with pytest.raises(IntegrityError, match="(?i)null"), transaction.atomic():
        insert_rows(Prediction, COLUMNS, [good, bad])
    assert not Prediction.objects.exists()


def test_reserved_ids_rise_and_are_never_given_again(project, make_tasks):
    first, second = reserve_ids(Task, 5), reserve_ids(Task, 3)
    taken = make_tasks(2)
    assert reserve_ids(Task, 0) == []
    assert [*first, *second, *taken] == sorted({*first, *second, *taken})
    by_orm = Task.objects.create(project=project, inner_id=99, data={})
    assert by_orm.pk > taken[-1]


def test_rows_are_deleted_by_one_statement(make_tasks, django_assert_num_queries):
    ids = make_tasks(30)
    with django_assert_num_queries(1):
        assert delete_rows(Task, "id", ids[:20]) == 20
    assert list(Task.objects.values_list("id", flat=True)) == ids[20:]
    assert connection.in_atomic_block
