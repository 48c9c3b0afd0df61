"""The prediction endpoints."""

import json

import pytest

from tasks.models import Prediction
from tests.tasks.checks import assert_counters_right
from tests.tasks.conftest import RESULT

pytestmark = pytest.mark.django_db
KEYS = set(
    "id result model_version created_ago score cluster neighbors mislabeling created_at updated_at"
    " model model_run task project".split()
)


def read(response) -> list:
    return json.loads(b"".join(response.streaming_content))


def test_a_prediction_is_created_read_changed_and_deleted(api, project, make_tasks):
    (task_id,) = make_tasks(1)
    response = api.post(
        "/api/predictions/", {"task": task_id, "result": RESULT, "score": 0.5, "model_version": "v2", "cluster": 3}
    )
    body = response.json()
    assert response.status_code == 201 and set(body) == KEYS
    assert (body["result"], body["score"], body["model_version"], body["project"]) == (RESULT, 0.5, "v2", project.pk)
    assert_counters_right(project)
    url = f"/api/predictions/{body['id']}/"
    changed = api.patch(url, {"score": 0.75, "task": task_id, "neighbors": [1, 2]}).json()
    assert (changed["score"], changed["neighbors"], changed["result"]) == (0.75, [1, 2], RESULT)
    assert api.get(url).json()["score"] == 0.75
    assert api.delete(url).status_code == 204 and api.get(url).status_code == 404
    assert_counters_right(project)


def test_predictions_are_listed_by_task_or_project_as_a_bare_array(api, project, make_tasks):
    first, second = make_tasks(2, predictions=2)
    assert len(read(api.get("/api/predictions/"))) == 4
    assert {item["task"] for item in read(api.get(f"/api/predictions/?task={second}"))} == {second}
    assert len(read(api.get(f"/api/predictions/?project={project.pk}"))) == 4
    assert len(read(api.get(f"/api/predictions/?task__project={project.pk}&task={first}"))) == 2


def test_a_long_list_is_complete(api, make_tasks):
    make_tasks(1201, predictions=2)
    items = read(api.get("/api/predictions/"))
    assert [item["id"] for item in items] == list(Prediction.objects.order_by("id").values_list("id", flat=True))


def test_no_predictions_are_an_empty_array(api):
    assert read(api.get("/api/predictions/")) == []


BAD_BODIES = [
    *[
        ({"task": 1}, "result"),
        ({"task": 1, "result": None}, "result"),
        ({"result": []}, "task"),
        ({"task": "x", "result": []}, "task"),
    ],
    *[({"task": 1, "result": ["\0"]}, "result"), ({"task": 1, "result": [], "score": "nan"}, "score")],
    *[({"task": 1, "result": [], "score": "high"}, "score"), ({"task": 1, "result": [], "cluster": 2**40}, "cluster")],
    *[
        ({"task": 2**63, "result": []}, "task"),
        ({"task": 1, "result": [], "model_version": "\0"}, "model_version"),
        ([], "non_field_errors"),
    ],
]


@pytest.mark.parametrize(("body", "field"), BAD_BODIES)
def test_a_bad_prediction_names_its_field_and_is_not_saved(api, project, make_tasks, body, field):
    (task_id,) = make_tasks(1)
    if isinstance(body, dict) and body.get("task") == 1:
        body = {**body, "task": task_id}
    response = api.post("/api/predictions/", body, format="json")
    assert response.status_code == 400 and field in response.json()["validation_errors"], response.content
    assert not Prediction.objects.exists()


def test_a_prediction_stays_with_its_task(api, make_tasks):
    first, second = make_tasks(2)
    pk = api.post("/api/predictions/", {"task": first, "result": []}).json()["id"]
    assert api.patch(f"/api/predictions/{pk}/", {"task": second}).status_code == 400


@pytest.mark.parametrize("query", ["task=99999999", "task=abc", "project=0", "task__project=9999999999999999999999"])
def test_predictions_of_something_unknown_are_404(api, query):
    assert api.get(f"/api/predictions/?{query}").status_code == 404
