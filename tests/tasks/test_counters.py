"""Counters against a count by hand."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from projects.models import Project
from tasks import counters
from tasks.models import Annotation, Prediction, Task
from tests.tasks.checks import assert_counters_right

pytestmark = pytest.mark.django_db


def annotate(task_id: int, project: Project, **fields) -> Annotation:
    return Annotation.objects.create(task_id=task_id, project=project, **fields)


def test_recount_follows_rows_that_came_and_went(project, make_tasks):
    ids = make_tasks(6, annotations=1, predictions=1)
    annotate(ids[0], project, was_cancelled=True, ground_truth=True)
    Annotation.objects.filter(task_id=ids[1]).delete()
    Annotation.objects.filter(task_id=ids[2]).update(was_cancelled=True)
    Prediction.objects.filter(task_id=ids[3]).delete()
    with pytest.raises(AssertionError):
        assert_counters_right(project)
    counters.recount(project.pk, ids)
    assert_counters_right(project)


def test_recount_takes_the_same_number_of_statements_for_any_number_of_tasks(project, make_tasks, django_assert_num_queries):
    few, many = make_tasks(2, annotations=1), make_tasks(500, annotations=1)
    for ids in (few, many):
        with django_assert_num_queries(8):  # six, and the savepoint's two
            counters.recount(project.pk, ids)


def test_recount_leaves_tasks_of_other_projects_alone(project, make_tasks, alice):
    other = Project.objects.create(title="Other", organization=alice.active_organization)
    (task_id,) = make_tasks(1, target=other)
    annotate(task_id, other)
    counters.recount(project.pk, [task_id, 2**40])
    assert Task.objects.get(pk=task_id).total_annotations == 0
    counters.recount(other.pk, [task_id])
    assert_counters_right(other)


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (3, 3)])
def test_a_new_overlap_finishes_or_reopens_tasks(project, make_tasks, before, after):
    Project.objects.filter(pk=project.pk).update(maximum_annotations=before)
    for annotations in (0, 1, 2, 3):
        make_tasks(2, annotations=annotations)
    Project.objects.filter(pk=project.pk).update(maximum_annotations=after)
    counters.set_overlap(project.pk)
    assert set(Task.objects.values_list("overlap", flat=True)) == {after}
    assert_counters_right(project)


def test_the_recount_command_repairs_wrong_counters(project, make_tasks):
    make_tasks(3, annotations=2, predictions=1)
    Task.objects.update(total_annotations=17, is_labeled=False)
    Project.objects.filter(pk=project.pk).update(task_number=99, ground_truth_number=5, total_predictions_number=0)
    call_command("recount", stdout=(out := StringIO()))
    assert out.getvalue() == f"project {project.pk}: repaired\n"
    assert_counters_right(project)
    call_command("recount", project.pk, stdout=(out := StringIO()))
    assert out.getvalue() == f"project {project.pk}: was right\n"


def test_the_recount_command_refuses_unknown_projects(db):
    with pytest.raises(CommandError, match="no such project: 4242"):
        call_command("recount", 4242)
