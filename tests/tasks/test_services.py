"""Tasks born and deleted in sets: their rows, counters, signals and statements."""

import pytest
from django.db import transaction

from projects.jsontext import NotStorable
from projects.models import Project
from tasks.drafts import AnnotationDraft, PredictionDraft, TaskDraft
from tasks.models import Annotation, Prediction, Task
from tasks.services import create_tasks, delete_project, delete_tasks
from tests.tasks.checks import assert_counters_right
from tests.tasks.conftest import RESULT, save

pytestmark = pytest.mark.django_db


def rich(count: int) -> list[TaskDraft]:
    return [
        TaskDraft(
            {"image": f"{number}.png", "name": "naïve 船"},
            {"source": "x"},
            allow_skip=number % 2 == 0,
            annotations=[AnnotationDraft(RESULT, was_cancelled=number % 3 == 0, ground_truth=number % 2 == 0)] * (number % 4),
            predictions=[PredictionDraft(RESULT, 0.5, "v1")] * (number % 3),
        )
        for number in range(count)
    ]


def test_saved_tasks_hold_what_the_drafts_held(project, alice):
    annotation = AnnotationDraft(RESULT, alice.pk, lead_time=3.5, import_id=77, parent_annotation=5)
    draft = TaskDraft({"image": "a.png"}, {"k": 1}, False, [annotation], [PredictionDraft(RESULT, 0.75, "m")])
    (task_id,) = save(project, [draft])
    task, saved, prediction = Task.objects.get(pk=task_id), Annotation.objects.get(), Prediction.objects.get()
    assert (task.data, task.meta, task.allow_skip, task.inner_id) == ({"image": "a.png"}, {"k": 1}, False, 1)
    assert (saved.result, saved.completed_by, saved.lead_time, saved.import_id) == (RESULT, alice, 3.5, 77)
    assert (prediction.result, prediction.score, prediction.model_version) == (RESULT, 0.75, "m")
    assert (saved.task_id, saved.project_id, prediction.task_id, prediction.project_id) == (
        task_id,
        project.pk,
        task_id,
        project.pk,
    )


def test_inner_ids_continue_and_ids_keep_the_order_of_the_drafts(project):
    first, second = save(project, rich(3)), save(project, rich(4))
    rows = Task.objects.order_by("inner_id").values_list("id", "inner_id")
    assert list(rows) == list(zip([*first, *second], range(1, 8), strict=True))


@pytest.mark.parametrize("overlap", [1, 2, 3])
def test_counters_are_right_after_tasks_with_everything_were_born(project, overlap):
    Project.objects.filter(pk=project.pk).update(maximum_annotations=overlap)
    save(project, rich(30))
    assert_counters_right(project)
    assert set(Task.objects.values_list("overlap", flat=True)) == {overlap}
    assert Task.objects.filter(is_labeled=True).exists() and Task.objects.filter(is_labeled=False).exists()


@pytest.mark.parametrize("count", [1, 40, 400])
def test_the_number_of_statements_does_not_depend_on_the_number_of_tasks(project, count, django_assert_max_num_queries):
    drafts = rich(count)
    with django_assert_max_num_queries(16), transaction.atomic():  # with the savepoint's two and those of the signal's receivers
        create_tasks(project, drafts)


def test_nothing_happens_without_drafts(project, django_assert_num_queries):
    with django_assert_num_queries(2), transaction.atomic():  # the savepoint
        assert create_tasks(project, []) == []


def test_data_no_database_takes_saves_nothing(project):
    with pytest.raises(NotStorable):
        save(project, [TaskDraft({"image": "a"}), TaskDraft({"image": float("nan")})])
    assert not Task.objects.exists()
    assert_counters_right(project)


def test_tasks_cannot_be_added_to_a_project_that_is_gone(project):
    Project.objects.filter(pk=project.pk).delete()
    with pytest.raises(Project.DoesNotExist):
        save(project, rich(1))


def test_one_signal_tells_of_all_annotations_that_were_born(project, heard):
    save(project, rich(8))
    ((name, message),) = heard
    assert name == "annotations_changed" and message["project_id"] == project.pk and message["deleted"] is False
    assert message["pairs"] == list(Annotation.objects.order_by("id").values_list("id", "task_id"))


def test_no_signal_is_sent_for_tasks_without_annotations(make_tasks, heard):
    make_tasks(3, predictions=1)
    assert heard == []


def test_deleting_some_tasks_takes_their_annotations_and_predictions_and_tells(project, heard):
    ids = save(project, rich(30))
    heard.clear()
    assert delete_tasks(project.pk, ids[:10]) == 10
    assert list(Task.objects.values_list("id", flat=True)) == ids[10:]
    assert not Annotation.objects.filter(task_id__in=ids[:10]).exists()
    assert not Prediction.objects.filter(task_id__in=ids[:10]).exists()
    assert [name for name, _ in heard] == ["annotations_changed", "tasks_deleting"]
    assert heard[0][1]["deleted"] is True and heard[1][1]["task_ids"] == ids[:10]
    assert_counters_right(project)


def test_deleting_all_tasks_leaves_other_projects_alone(project, make_tasks, alice):
    other = Project.objects.create(title="Other", organization=alice.active_organization)
    kept = make_tasks(2, annotations=1, target=other)
    make_tasks(5, annotations=1, predictions=1)
    assert delete_tasks(project.pk, kept) == 0
    assert delete_tasks(project.pk) == 5
    assert list(Task.objects.values_list("id", flat=True)) == kept
    assert_counters_right(project)
    assert_counters_right(other)


def test_many_tasks_are_deleted_in_few_statements(project, make_tasks, django_assert_max_num_queries):
    make_tasks(2500, annotations=1)
    with django_assert_max_num_queries(3 * 13 + 1):
        assert delete_tasks(project.pk) == 2500
    assert_counters_right(project)


def test_a_deleted_project_is_gone_with_all_it_held(project, make_tasks, heard):
    make_tasks(3, annotations=1, predictions=1)
    delete_project(project)
    assert not (Project.objects.exists() or Task.objects.exists() or Annotation.objects.exists() or Prediction.objects.exists())
    assert heard[-1][0] == "project_deleting" and heard[-1][1]["project_id"] == project.pk
