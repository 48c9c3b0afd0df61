"""Exports and the payloads of target storages."""

import json

import pytest

from projects.models import Project
from tasks.drafts import AnnotationDraft, TaskDraft
from tasks.models import Annotation, Prediction, Task
from tasks.payloads import annotation_payloads, task_payloads
from tests.tasks.checks import assert_counters_right
from tests.tasks.conftest import RESULT, save

pytestmark = pytest.mark.django_db
TASK_KEYS = set(
    "id annotations drafts predictions data meta created_at updated_at allow_skip inner_id total_annotations cancelled_annotations"
    " total_predictions comment_count unresolved_comment_count last_comment_updated_at project updated_by comment_authors file_upload".split()
)
ANNOTATION_KEYS = set(
    "id completed_by result was_cancelled ground_truth created_at updated_at draft_created_at lead_time prediction result_count"
    " unique_id import_id last_action bulk_created task project updated_by parent_prediction parent_annotation last_created_by".split()
)
TARGET_KEYS = set(
    "id result created_username created_ago completed_by task was_cancelled ground_truth created_at updated_at draft_created_at"
    " lead_time import_id last_action bulk_created project updated_by parent_prediction parent_annotation last_created_by".split()
)
NESTED_KEYS = set(
    "id data meta created_at updated_at is_labeled allow_skip overlap inner_id total_annotations cancelled_annotations"
    " total_predictions precomputed_agreement comment_count unresolved_comment_count last_comment_updated_at project updated_by"
    " file_upload comment_authors".split()
)


def export(api, project, query: str = "") -> list:
    response = api.get(f"/api/projects/{project.pk}/export{query}")
    assert response.status_code == 200 and response["Content-Type"] == "application/json"
    return json.loads(b"".join(response.streaming_content))


def test_annotated_tasks_are_exported_with_all_keys(api, project, alice, make_tasks):
    make_tasks(1)
    (task_id,) = make_tasks(1, annotations=1, predictions=2, author=alice)
    (item,) = export(api, project, "?exportType=JSON")
    assert set(item) == TASK_KEYS and item["id"] == task_id
    assert item["predictions"] == list(Prediction.objects.order_by("id").values_list("id", flat=True))
    (annotation,) = item["annotations"]
    assert set(annotation) == ANNOTATION_KEYS
    assert annotation["completed_by"] == {"id": alice.pk, "first_name": "", "last_name": "", "email": alice.email}
    assert (annotation["result_count"], annotation["unique_id"]) == (1, str(Annotation.objects.get().unique_id))


def test_all_tasks_or_named_tasks_are_exported_when_asked(api, project, make_tasks):
    plain, skipped = (
        make_tasks(2)[0],
        save(project, [TaskDraft({"image": "s"}, annotations=[AnnotationDraft(was_cancelled=True)])])[0],
    )
    assert [item["id"] for item in export(api, project)] == [skipped]
    assert len(export(api, project, "?download_all_tasks=true&download_resources=true")) == 3
    assert [item["id"] for item in export(api, project, f"?download_all_tasks=true&ids[]={plain}&ids={skipped}")] == [
        plain,
        skipped,
    ]


def test_an_export_can_be_imported_again(api, project, alice, make_tasks):
    make_tasks(3, annotations=2, author=alice)
    items = export(api, project)
    for item in items:
        item["predictions"] = []
    other = Project.objects.create(title="Copy", organization=alice.active_organization, label_config=project.label_config)
    assert api.post(f"/api/projects/{other.pk}/import", items, format="json").json()["annotation_count"] == 6
    copies = export(api, other)
    assert [copy["data"] for copy in copies] == [item["data"] for item in items]
    assert copies[0]["annotations"][0]["import_id"] == items[0]["annotations"][0]["id"]
    assert_counters_right(other)


def test_an_export_of_many_pages_is_complete(api, project, make_tasks, django_assert_max_num_queries):
    ids = make_tasks(1201)
    with django_assert_max_num_queries(30):
        assert [item["id"] for item in export(api, project, "?download_all_tasks=1")] == ids


def test_an_empty_export_is_an_empty_array(api, project):
    assert export(api, project) == []


def test_json_min_puts_labels_beside_data(api, project, alice):
    regions = [{"from_name": "box", "type": "rectanglelabels", "value": {"x": 1}}, *RESULT]
    (task_id,) = save(project, [TaskDraft({"image": "a.png"}, annotations=[AnnotationDraft(regions, alice.pk, lead_time=1.5)])])
    (item,) = export(api, project, "?export_type=JSON_MIN")
    annotation = Annotation.objects.get()
    assert {key: item[key] for key in ("image", "id", "kind", "box", "annotator", "annotation_id", "lead_time")} == {
        **{"image": "a.png", "id": task_id, "kind": "cat", "box": [{"x": 1}]},
        **{"annotator": alice.pk, "annotation_id": annotation.pk, "lead_time": 1.5},
    }


@pytest.mark.parametrize(
    "result", [None, [], ["text"], [{"from_name": 5}], [{"from_name": "k"}], [{"from_name": "k", "type": "choices", "value": 3}]]
)
def test_odd_results_do_not_break_json_min(api, project, result):
    save(project, [TaskDraft({"image": "a.png"}, annotations=[AnnotationDraft(result)])])
    assert export(api, project, "?exportType=JSON_MIN")[0]["image"] == "a.png"


@pytest.mark.parametrize(
    "query", ["exportType=YOLO", "export_type=json", "download_all_tasks=perhaps", "ids=a", "ids=-5", "ids=" + "9" * 30]
)
def test_a_bad_export_request_is_400(api, project, query):
    response = api.get(f"/api/projects/{project.pk}/export?{query}")
    assert response.status_code == 400 and response.json()["validation_errors"]


def test_formats_are_listed(api, project):
    assert [item["name"] for item in api.get(f"/api/projects/{project.pk}/export/formats").json()] == ["JSON", "JSON_MIN"]


def test_target_payloads_hold_the_annotation_with_its_task(project, alice, make_tasks):
    (task_id,) = make_tasks(1, annotations=2, author=alice)
    save(project, [TaskDraft({"$undefined$": "s3://b/k"}, annotations=[AnnotationDraft()])])
    ids = list(Annotation.objects.order_by("id").values_list("id", flat=True))
    first, _, third = annotation_payloads([*ids, 2**40])
    assert (first[0], first[1]) == (ids[0], task_id) and set(first[2]) == TARGET_KEYS and set(first[2]["task"]) == NESTED_KEYS
    assert first[2]["completed_by"]["email"] == alice.email and first[2]["created_ago"] == ""
    assert third[2]["task"]["data"] == {"image": "s3://b/k"} and third[2]["completed_by"] is None


def test_task_payloads_hold_the_task_with_its_annotations(make_tasks, alice):
    ids = make_tasks(2, annotations=1, predictions=1, author=alice)
    payloads = dict(task_payloads([*ids, 2**40]))
    assert list(payloads) == ids and set(payloads[ids[0]]) == TASK_KEYS
    assert set(payloads[ids[0]]["annotations"][0]) == ANNOTATION_KEYS


@pytest.mark.parametrize("count", [3, 300])
def test_payloads_take_a_constant_number_of_queries(make_tasks, alice, count, django_assert_num_queries):
    ids = make_tasks(count, annotations=2, predictions=1, author=alice)
    annotation_ids = list(Annotation.objects.values_list("id", flat=True))
    with django_assert_num_queries(4):
        assert len(list(annotation_payloads(annotation_ids))) == 2 * count
    with django_assert_num_queries(5):
        assert len(list(task_payloads(ids))) == count


def test_payloads_are_the_same_every_time(make_tasks, alice):
    ids = make_tasks(3, annotations=2, author=alice)
    annotation_ids = list(Annotation.objects.values_list("id", flat=True))
    assert list(annotation_payloads(annotation_ids)) == list(annotation_payloads(annotation_ids[::-1]))
    assert json.dumps(list(task_payloads(ids))) == json.dumps(list(task_payloads(ids)))
    assert Task.objects.count() == 3
