"""Import over HTTP: all rows or none."""

import json

import pytest

from projects.models import Project
from tasks.models import Annotation, Prediction, Task
from tests.tasks.checks import assert_counters_right
from tests.tasks.conftest import RESULT

pytestmark = pytest.mark.django_db
KEYS = set(
    "task_count annotation_count prediction_count duration file_upload_ids could_be_tasks_list found_formats data_columns".split()
)


def load(api, project, rows, query: str = ""):
    return api.post(f"/api/projects/{project.pk}/import{query}", rows, format="json")


def test_an_array_of_bare_and_wrapped_tasks_is_imported(api, alice, project):
    rows = [
        {"image": "a.png"},
        {"data": {"image": "b.png"}, "meta": {"m": 1}, "annotations": [{"result": RESULT, "completed_by": alice.email}]},
        {"data": {"image": "c.png"}, "predictions": [{"result": RESULT, "score": 0.5}], "annotations": [{"was_cancelled": True}]},
    ]
    response = load(api, project, rows, "?return_task_ids=true")
    body = response.json()
    assert response.status_code == 201 and set(body) == KEYS | {"task_ids"}
    assert (body["task_count"], body["annotation_count"], body["prediction_count"]) == (3, 2, 1)
    assert body["task_ids"] == list(Task.objects.order_by("inner_id").values_list("id", flat=True))
    assert Annotation.objects.get(task_id=body["task_ids"][1]).completed_by == alice
    assert_counters_right(project)


def test_one_object_is_one_task(api, project):
    assert load(api, project, {"image": "a.png"}).json()["task_count"] == 1
    assert Task.objects.get().data == {"image": "a.png"}


def test_without_commit_the_rows_are_only_checked(api, project):
    body = load(api, project, [{"image": "a"}], "?commit_to_project=false").json()
    assert (body["task_count"], body["annotation_count"]) == (1, None) and "task_ids" not in body
    assert load(api, project, [{"text": "a"}], "?commit_to_project=false").status_code == 400
    assert not Task.objects.exists()


def test_data_fields_become_predictions_when_asked(api, project):
    load(api, project, [{"image": "a", "guess": RESULT}], "?preannotated_from_fields=guess")
    assert Task.objects.get().data == {"image": "a"} and Prediction.objects.get().result == RESULT
    assert load(api, project, [{"image": "a"}], "?preannotated_from_fields=guess").status_code == 400
    assert_counters_right(project)


def test_a_large_import_is_complete_and_needs_few_statements(api, project, django_assert_max_num_queries):
    with django_assert_max_num_queries(40):
        body = load(api, project, [{"image": f"{number}.png"} for number in range(3500)]).json()
    assert body["task_count"] == Task.objects.count() == 3500
    assert_counters_right(project)


def test_all_bad_rows_are_named_and_nothing_is_saved(api, project):
    rows = [{"image": "fine"}, 7, {"text": "x"}, {"data": {"image": "a"}, "annotations": [{"completed_by": "nobody@x.example"}]}]
    response = load(api, project, rows)
    messages = response.json()["validation_errors"]["non_field_errors"]
    assert response.status_code == 400 and [message.split(":")[0] for message in messages] == ["row 1", "row 2", "row 3"]
    assert "lacks 'image'" in messages[1] and "nobody@x.example" in messages[2]
    assert not Task.objects.exists()
    assert_counters_right(project)


def test_a_flood_of_bad_rows_is_cut_short(api, project):
    messages = load(api, project, [5] * 500).json()["validation_errors"]["non_field_errors"]
    assert len(messages) == 21 and messages[-1] == "and 480 more rows"


@pytest.mark.parametrize("rows", [[], 5, "text", None, [[{"image": "a"}]], [{"image": "\0"}], [{"image": "\ud800"}], [{}]])
def test_rows_that_are_no_tasks_are_refused(api, project, rows):
    raw = json.dumps(rows)
    response = api.post(f"/api/projects/{project.pk}/import", raw, content_type="application/json")
    assert response.status_code == 400 and response.json()["validation_errors"]["non_field_errors"], response.content
    assert not Task.objects.exists()


@pytest.mark.parametrize(
    "raw",
    ["[", "[" * 100_000, '[{"image": NaN}]', '[{"image": 1e999}]', '[{"image": Infinity}]', "", '{"image": "a"} {"image": "b"}'],
)
def test_text_that_is_not_json_is_refused(api, project, raw):
    assert api.post(f"/api/projects/{project.pk}/import", raw, content_type="application/json").status_code == 400
    assert not Task.objects.exists()


@pytest.mark.parametrize("form", ["multipart", "urlencoded"])
def test_files_are_refused_with_a_way_out(api, project, form):
    if form == "multipart":
        response = api.post(f"/api/projects/{project.pk}/import", {"file": "x"}, format="multipart")
    else:
        response = api.post(
            f"/api/projects/{project.pk}/import", "url=http://x", content_type="application/x-www-form-urlencoded"
        )
    assert response.status_code == 400 and "connect it as a storage" in response.content.decode()


@pytest.mark.parametrize("query", ["?commit_to_project=perhaps", "?return_task_ids=2", "?preannotated_from_fields=%00"])
def test_a_bad_import_parameter_is_refused(api, project, query):
    assert load(api, project, [{"image": "a"}], query).status_code == 400
    assert not Task.objects.exists()


def test_predictions_are_imported_for_tasks_of_the_project(api, project, make_tasks):
    ids = make_tasks(3)
    rows = [{"task": task_id, "result": RESULT, "score": 0.5, "model_version": "m"} for task_id in ids * 2]
    response = api.post(f"/api/projects/{project.pk}/import/predictions", rows, format="json")
    assert (response.status_code, response.json()) == (201, {"created": 6})
    assert_counters_right(project)


@pytest.mark.parametrize(
    "rows",
    [
        *[
            [],
            [5],
            [{"result": []}],
            [{"task": "1", "result": []}],
            [{"task": 2**63, "result": []}],
            [{"task": -1, "result": []}],
        ],
        *[
            [{"task": 1}],
            [{"task": 1, "result": None}],
            [{"task": 1, "result": [{"from_name": "colour"}]}],
            [{"task": True, "result": []}],
        ],
    ],
)
def test_bad_predictions_are_refused_together(api, project, make_tasks, rows):
    (task_id,) = make_tasks(1)
    good = {"task": task_id, "result": []}
    rows = [
        {**row, "task": task_id} if isinstance(row, dict) and row.get("task") == 1 and row["task"] is not True else row
        for row in rows
    ]
    response = api.post(f"/api/projects/{project.pk}/import/predictions", [good, *rows] if rows else [], format="json")
    assert response.status_code == 400 and response.json()["validation_errors"]["non_field_errors"], response.content
    assert not Prediction.objects.exists()


def test_predictions_for_another_projects_task_are_refused(api, project, make_tasks, alice):
    other = Project.objects.create(title="Other", organization=alice.active_organization)
    (task_id,) = make_tasks(1, target=other)
    assert (
        api.post(f"/api/projects/{project.pk}/import/predictions", [{"task": task_id, "result": []}], format="json").status_code
        == 400
    )
