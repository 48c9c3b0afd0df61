"""The official SDK, unmodified, over HTTP: projects, tasks, annotations, predictions, import and export."""

import pytest
from label_studio_sdk import LabelStudio
from label_studio_sdk.core.api_error import ApiError

from tasks.models import Task
from tests.tasks.checks import assert_counters_right
from tests.tasks.conftest import RESULT
from users import legacy_tokens

pytestmark = pytest.mark.django_db(transaction=True)
CONFIG = '<View><Image name="image" value="$image"/><Choices name="kind" toName="image"><Choice value="cat"/></Choices></View>'


@pytest.fixture
def sdk(live_server, alice) -> LabelStudio:
    return LabelStudio(base_url=live_server.url, api_key=legacy_tokens.set_key(alice))


def test_projects_are_created_listed_changed_validated_and_deleted(sdk):
    ids = [sdk.projects.create(title=f"Project {number}", label_config=CONFIG).id for number in range(3)]
    assert [project.id for project in sdk.projects.list(page_size=2)] == ids[::-1]
    project = sdk.projects.get(id=ids[0])
    assert (project.title, project.task_number, project.created_by.email) == ("Project 0", 0, "alice@harbour.example")
    assert [control.name for control in project.get_label_interface().controls] == ["kind"]
    assert sdk.projects.update(id=ids[0], title="Renamed", maximum_annotations=2).maximum_annotations == 2
    assert sdk.projects.validate_label_config(id=ids[0], label_config=CONFIG).label_config == CONFIG
    with pytest.raises(ApiError) as refused:
        sdk.projects.validate_label_config(id=ids[0], label_config="<View>")
    assert refused.value.status_code == 400 and "not well-formed" in refused.value.body["detail"]
    assert sdk.projects.list_counts().count == 3
    sdk.projects.delete(id=ids[0])
    with pytest.raises(ApiError) as missing:
        sdk.projects.get(id=ids[0])
    assert missing.value.status_code == 404


def test_tasks_are_imported_paged_to_the_end_and_changed(sdk, project):
    report = sdk.projects.import_tasks(
        id=project.pk, request=[{"data": {"image": f"{number}.png"}} for number in range(7)], return_task_ids=True
    )
    assert (report.task_count, report.annotation_count, len(report.task_ids)) == (7, 0, 7)
    tasks = list(sdk.tasks.list(project=project.pk, page_size=3))
    assert [task.id for task in tasks] == report.task_ids and tasks[0].data == {"image": "0.png"}
    assert sdk.tasks.list(project=project.pk, page_size=3).items[0].annotations == []
    created = sdk.tasks.create(project=project.pk, data={"image": "new.png"})
    assert sdk.tasks.update(id=created.id, data={"image": "newer.png"}).data == {"image": "newer.png"}
    assert sdk.tasks.get(id=created.id).data == {"image": "newer.png"}
    sdk.tasks.delete(id=created.id)
    assert Task.objects.count() == 7
    sdk.tasks.delete_all_tasks(id=project.pk)
    assert list(sdk.tasks.list(project=project.pk)) == []
    assert_counters_right(project)


def test_annotations_are_created_changed_listed_and_deleted(sdk, project, alice, make_tasks):
    first, second = make_tasks(2)
    annotation = sdk.annotations.create(id=first, result=RESULT, lead_time=1.5, was_cancelled=False)
    assert (annotation.result, annotation.completed_by, annotation.task) == (RESULT, alice.pk, first)
    assert sdk.annotations.update(id=annotation.id, ground_truth=True).ground_truth is True
    assert sdk.annotations.get(id=annotation.id).lead_time == 1.5
    assert [item.id for item in sdk.annotations.list(id=first)] == [annotation.id]
    bulk = sdk.annotations.create_bulk(tasks=[first, second], result=RESULT)
    assert len(bulk) == 2
    assert sdk.annotations.delete_bulk(ids=[bulk[0].id], project=project.pk).deleted_count == 1
    (task, _) = sdk.tasks.list(project=project.pk)
    assert task.annotations[0]["completed_by"]["email"] == alice.email
    sdk.annotations.delete(id=annotation.id)
    assert [person.id for person in sdk.projects.list_unique_annotators(id=project.pk)] == [alice.pk]
    assert_counters_right(project)


def test_predictions_are_created_changed_listed_imported_and_deleted(sdk, project, make_tasks):
    (task_id,) = make_tasks(1)
    prediction = sdk.predictions.create(task=task_id, result=RESULT, score=0.5, model_version="v1")
    assert (prediction.task, prediction.score) == (task_id, 0.5)
    assert sdk.predictions.update(id=prediction.id, score=0.25).score == 0.25
    assert sdk.projects.import_predictions(id=project.pk, request=[{"task": task_id, "result": RESULT}]).created == 1
    assert len(sdk.predictions.list(project=project.pk)) == len(sdk.predictions.list(task=task_id)) == 2
    sdk.predictions.delete(id=prediction.id)
    assert_counters_right(project)


def test_an_export_is_read_as_json(sdk, project, make_tasks, alice):
    ids = make_tasks(3, annotations=1, author=alice)
    make_tasks(1)
    items = sdk.projects.exports.as_json(project.pk)
    assert [item["id"] for item in items][:3] == ids and len(items) == 4  # the SDK asks for tasks without annotations too
    assert items[0]["annotations"][0]["completed_by"]["email"] == alice.email
    assert sdk.projects.exports.list_formats(id=project.pk)


def test_the_delete_action_deletes_the_selected_tasks(sdk, project, make_tasks):
    ids = make_tasks(3)
    sdk.actions.create(id="delete_tasks", project=project.pk, selected_items={"all": False, "included": ids[:2]})
    assert list(Task.objects.values_list("id", flat=True)) == ids[2:]


def test_mistakes_come_back_as_errors_with_their_reason(sdk, project):
    with pytest.raises(ApiError) as refused:
        sdk.projects.import_tasks(id=project.pk, request=[{"data": {"text": "no image"}}])
    assert refused.value.status_code == 400
    assert "row 0: data lacks 'image'" in refused.value.body["validation_errors"]["non_field_errors"][0]
