"""The task list: its pages, its queries, and what other apps may change in it."""

import json

import pytest

from projects.models import Project
from tasks import signals
from tasks.drafts import TaskDraft
from tasks.models import Task
from tests.tasks.conftest import RESULT, save

pytestmark = pytest.mark.django_db
FULL_KEYS = set(
    "id predictions annotations drafts annotators inner_id cancelled_annotations total_annotations total_predictions completed_at"
    " annotations_results predictions_results predictions_score file_upload storage_filename annotations_ids"
    " predictions_model_versions avg_lead_time draft_exists updated_by data meta created_at updated_at is_labeled overlap"
    " comment_count unresolved_comment_count last_comment_updated_at project comment_authors allow_skip".split()
)


def listed(api, project, **params) -> dict:
    response = api.get("/api/tasks/", {"project": project.pk, **params})
    assert response.status_code == 200, response.content
    return response.json()


def test_a_page_carries_tasks_and_the_projects_totals(api, project, make_tasks, alice):
    ids = make_tasks(3, annotations=2, predictions=1, author=alice)
    body = listed(api, project, fields="all")
    assert (body["total"], body["total_annotations"], body["total_predictions"]) == (3, 6, 3)
    assert [task["id"] for task in body["tasks"]] == ids
    task = body["tasks"][0]
    assert set(task) == FULL_KEYS
    assert (task["inner_id"], task["project"], task["annotators"], task["is_labeled"]) == (1, project.pk, [alice.pk], True)
    assert (task["predictions_score"], task["predictions_model_versions"], task["avg_lead_time"]) == (0.5, "v1", 2.5)
    assert json.loads(task["annotations_results"]) == [RESULT, RESULT]
    annotation, prediction = task["annotations"][0], task["predictions"][0]
    assert annotation["completed_by"] == {"id": alice.pk, "first_name": "", "last_name": "", "email": alice.email}
    assert annotation["created_username"] == f" {alice.email}, {alice.pk}" and annotation["created_ago"]
    assert (prediction["result"], prediction["model_version"], prediction["task"]) == (RESULT, "v1", ids[0])
    assert task["created_at"].endswith("Z") and task["completed_at"].endswith("Z")


def test_without_fields_all_the_heavy_keys_are_left_out(api, project, make_tasks):
    make_tasks(1, annotations=1)
    heavy = {"predictions", "annotations", "completed_at", "predictions_score", "avg_lead_time", "draft_exists"}
    assert set(listed(api, project)["tasks"][0]) == FULL_KEYS - heavy
    assert set(listed(api, project, include="id,data")["tasks"][0]) == {"id", "data"}


def test_pages_end_with_404(api, project, make_tasks):
    ids = make_tasks(5)
    pages = [listed(api, project, page=page, page_size=2)["tasks"] for page in (1, 2, 3)]
    assert [task["id"] for page in pages for task in page] == ids
    response = api.get("/api/tasks/", {"project": project.pk, "page": 4, "page_size": 2})
    assert (response.status_code, response.json()["detail"]) == (404, "Invalid page.")


def test_a_project_without_tasks_has_one_empty_page(api, project):
    assert listed(api, project) == {"tasks": [], "total": 0, "total_annotations": 0, "total_predictions": 0}


def test_a_list_without_project_is_404_outside_the_envelope(api):
    response = api.get("/api/tasks/")
    assert (response.status_code, response.json()) == (404, {"detail": "Neither project nor view id specified"})


@pytest.mark.parametrize("fields", ["all", "task_only"])
@pytest.mark.parametrize("count", [5, 100])
def test_a_page_takes_the_same_few_queries_whatever_it_holds(
    api, project, make_tasks, alice, fields, count, django_assert_max_num_queries
):
    make_tasks(count, annotations=2, predictions=2, author=alice)
    with django_assert_max_num_queries(12):
        body = listed(api, project, fields=fields, page_size=100)
    assert len(body["tasks"]) == count


def test_undefined_data_is_shown_under_the_configs_first_key(api, project):
    save(project, [TaskDraft({"$undefined$": "s3://b/k", "other": 1})])
    (task,) = listed(api, project)["tasks"]
    assert task["data"] == {"image": "s3://b/k", "other": 1}
    Project.objects.update(label_config="<View></View>")
    assert listed(api, project)["tasks"][0]["data"] == {"$undefined$": "s3://b/k", "other": 1}
    assert Task.objects.get().data == {"$undefined$": "s3://b/k", "other": 1}


@pytest.mark.parametrize(("params", "resolve"), [({}, True), ({"resolve_uri": "false"}, False), ({"resolve_uri": "1"}, True)])
def test_a_page_is_offered_once_to_whoever_resolves_uris(api, project, make_tasks, heard, params, resolve):
    make_tasks(3)
    heard.clear()
    listed(api, project, **params)
    ((name, message),) = heard
    assert (name, message["resolve"], len(message["payloads"])) == ("tasks_presenting", resolve, 3)
    assert message["payloads"][0]["storage_filename"] is None


def test_what_receivers_change_is_answered_but_not_saved(api, project, make_tasks):
    def present(payloads, **message):
        for payload in payloads:
            payload["data"] = {"image": "/resolved"}
            payload["storage_filename"] = "key.png"

    (task_id,) = make_tasks(1)
    signals.tasks_presenting.connect(present)
    try:
        for task in (listed(api, project)["tasks"][0], api.get(f"/api/tasks/{task_id}/").json()):
            assert (task["data"], task["storage_filename"]) == ({"image": "/resolved"}, "key.png")
    finally:
        signals.tasks_presenting.disconnect(present)
    assert Task.objects.get().data == {"image": "https://ships.example/0.png"}


def item(column: str, operator: str, value) -> dict:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": "Number", "value": value}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"ordering": ["-tasks:id"]}, [3, 2, 1, 0]),
        ({"ordering": ["tasks:total_annotations", "-tasks:inner_id"]}, [1, 0, 3, 2]),
        ({"filters": {"conjunction": "and", "items": [item("total_annotations", "greater", 0)]}}, [2, 3]),
        ({"filters": {"conjunction": "and", "items": [item("inner_id", "in", {"min": 2, "max": 3})]}}, [1, 2]),
        ({"filters": {"conjunction": "or", "items": [item("inner_id", "equal", 1), item("inner_id", "equal", "4")]}}, [0, 3]),
        ({"filters": {"conjunction": "and", "items": [item("inner_id", "not_equal", 1)]}}, [1, 2, 3]),
        ({"filters": {"items": [item("data.image", "contains", "/2.PNG")]}}, [2]),
        ({"filters": {"items": [item("data.image", "not_contains", "2.png"), item("data.image", "contains", "0")]}}, [0]),
        ({"filters": {"items": [item("created_at", "less", "2001-01-01T00:00:00Z")]}}, []),
        ({"filters": {"items": [item("completed_at", "empty", True)]}}, [0, 1]),
        ({"filters": {"items": [item("completed_at", "empty", False)]}}, [2, 3]),
        ({"filters": {"items": []}, "ordering": []}, [0, 1, 2, 3]),
        ({"selectedItems": {"all": False, "included": [0, 2]}}, [0, 2]),
        ({"selectedItems": {"all": True, "excluded": [0]}}, [1, 2, 3]),
    ],
)
def test_a_query_filters_orders_and_selects(api, project, query, expected):
    drafts = [TaskDraft({"image": f"https://ships.example/{number}.png"}) for number in range(4)]
    ids = save(project, drafts)
    for task_id in ids[2:]:
        api.post(f"/api/tasks/{task_id}/annotations/", {})
    for name, positions in query.get("selectedItems", {}).items():
        if isinstance(positions, list):
            query = {"selectedItems": {**query["selectedItems"], name: [ids[position] for position in positions]}}
    body = listed(api, project, query=json.dumps(query))
    assert [task["id"] for task in body["tasks"]] == [ids[position] for position in expected]
    assert body["total"] == len(expected)


def test_selected_items_and_only_annotated_narrow_the_totals(api, project, make_tasks):
    plain, annotated = make_tasks(2), make_tasks(3, annotations=2)
    body = listed(api, project, selectedItems=json.dumps([plain[0], annotated[0]]))
    assert (body["total"], body["total_annotations"]) == (2, 2)
    body = listed(api, project, only_annotated="true")
    assert ([task["id"] for task in body["tasks"]], body["total_annotations"]) == (annotated, 6)


BAD_QUERIES = [
    *[("page=0", 404), ("page=abc", 404), ("page=9" + "9" * 30, 404), ("page=2", 404), ("view=3", 404)],
    *[("page_size=0", 400), ("page_size=ten", 400), ("fields=some", 400), ("resolve_uri=maybe", 400), ("only_annotated=x", 400)],
    *[("query={", 400), ("query=[]", 400), ("query=%00", 400), ("selectedItems=5", 400), ('selectedItems=["a"]', 400)],
    ('selectedItems={"all": "yes"}', 400),
    ('selectedItems={"included": [99999999999999999999]}', 400),
    ('query={"ordering": ["tasks:project__organization__title"]}', 400),
    ('query={"ordering": "id"}', 400),
    ('query={"ordering": [{}]}', 400),
    ('query={"filters": 5}', 400),
    ('query={"filters": {"items": [5]}}', 400),
    ('query={"filters": {"conjunction": "xor", "items": []}}', 400),
    ('query={"filters": {"conjunction": [], "items": [1]}}', 400),
    ('query={"filters": {"items": [{"filter": "filter:tasks:password", "operator": "equal", "value": 1}]}}', 400),
    ('query={"filters": {"items": [{"filter": "filter:tasks:id", "operator": "resembles", "value": 1}]}}', 400),
    ('query={"filters": {"items": [{"filter": "filter:tasks:id", "operator": "equal", "value": "²"}]}}', 400),
    ('query={"filters": {"items": [{"filter": "filter:tasks:id", "operator": "equal", "value": "--5"}]}}', 400),
    ('query={"filters": {"items": [{"filter": "filter:tasks:id", "operator": "equal", "value": "x"}]}}', 400),
    ('query={"filters": {"items": [{"filter": "filter:tasks:id", "operator": "equal", "value": 1e999}]}}', 400),
    ('query={"filters": {"items": [{"filter": "filter:tasks:id", "operator": "less", "value": 99999999999999999999}]}}', 400),
    ('query={"filters": {"items": [{"filter": "filter:tasks:id", "operator": "in", "value": 3}]}}', 400),
    ('query={"filters": {"items": [{"filter": "filter:tasks:created_at", "operator": "less", "value": "soon"}]}}', 400),
    ('query={"filters": {"items": [{"filter": "filter:tasks:data.image", "operator": "contains", "value": 3}]}}', 400),
    ('query={"filters": {"items": [{"filter": "filter:tasks:data.image", "operator": "contains", "value": "\\u0000"}]}}', 400),
]


@pytest.mark.parametrize(("query", "code"), BAD_QUERIES)
def test_a_bad_query_is_refused(api, project, query, code):
    response = api.get(f"/api/tasks/?project={project.pk}&{query}")
    assert response.status_code == code and response.json()["status_code"] == code, response.content


@pytest.mark.parametrize("key", ["image", 'im"age', "0", "$x", "a.b", "ключ", "%s"])
def test_data_keys_in_filters_are_values_not_code(api, project, key):
    Project.objects.update(label_config="<View></View>")
    save(project, [TaskDraft({key: "needle"}), TaskDraft({"unrelated": "needle"})])
    query = json.dumps({"filters": {"items": [item(f"data.{key}", "equal", "needle")]}})
    assert listed(api, project, query=query)["total"] == 1
