import json

import pytest

from projects.models import Project
from tasks import signals
from tasks.drafts import TaskDraft
from tasks.models import Annotation, Task
from tests.tasks.checks import assert_counters_right
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


def test_a_task_is_created_read_changed_and_deleted(api, project, alice):
    response = api.post("/api/tasks/", {"project": project.pk, "data": {"image": "a.png"}, "meta": {"m": 1}, "allow_skip": False})
    created = response.json()
    assert response.status_code == 201 and created["data"] == {"image": "a.png"} and "annotations" not in created
    assert (created["meta"], created["allow_skip"], created["inner_id"]) == ({"m": 1}, False, 1)
    url = f"/api/tasks/{created['id']}/"
    detail = api.get(url).json()
    assert set(detail) == FULL_KEYS and detail["annotations"] == detail["predictions"] == detail["drafts"] == []
    changed = api.patch(url, {"data": {"image": "b.png"}, "project": project.pk, "total_annotations": 5, "inner_id": 9})
    assert changed.status_code == 200 and changed.json()["data"] == {"image": "b.png"}
    assert (changed.json()["updated_by"], changed.json()["total_annotations"], changed.json()["inner_id"]) == (
        [{"user_id": alice.pk}],
        0,
        1,
    )
    assert api.delete(url).status_code == 204 and api.get(url).status_code == 404
    assert_counters_right(project)


def test_a_slash_makes_no_difference(api, project, make_tasks):
    (task_id,) = make_tasks(1)
    assert api.get(f"/api/tasks/{task_id}").status_code == api.get(f"/api/tasks/{task_id}/").status_code == 200
    assert api.get(f"/api/tasks?project={project.pk}").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        *[{}, {"data": {"image": "a"}}, {"project": 1}, {"data": [], "project": 1}, {"data": "x", "project": 1}, [], "x"],
        *[{"data": {"text": "no image"}, "project": 1}, {"data": {"image": "\0"}, "project": 1}],
        *[{"data": {"image": "a"}, "project": 2**63}, {"data": {"image": "a"}, "project": "x"}],
        *[{"data": {"image": "a"}, "project": 1, "meta": 5}, {"data": {"image": "a"}, "project": 1, "allow_skip": "perhaps"}],
    ],
)
def test_a_bad_task_is_refused_and_not_saved(api, project, body):
    if isinstance(body, dict) and body.get("project") == 1:
        body = {**body, "project": project.pk}
    response = api.post("/api/tasks/", body, format="json")
    assert response.status_code == 400 and response.json()["validation_errors"], response.content
    assert not Task.objects.exists()


@pytest.mark.parametrize("body", [{"data": {"text": 1}}, {"data": 5}, {"meta": []}, {"project": 0}, []])
def test_a_bad_change_is_refused_and_not_saved(api, make_tasks, body):
    (task_id,) = make_tasks(1)
    assert api.patch(f"/api/tasks/{task_id}/", body, format="json").status_code == 400
    assert Task.objects.get().data == {"image": "https://ships.example/0.png"}


def test_a_task_stays_in_its_project(api, make_tasks, alice, charlie):
    (task_id,) = make_tasks(1)
    own = Project.objects.create(title="Mine", organization=alice.active_organization)
    foreign = Project.objects.create(title="Theirs", organization=charlie.active_organization)
    assert api.patch(f"/api/tasks/{task_id}/", {"project": own.pk}).status_code == 400
    assert api.patch(f"/api/tasks/{task_id}/", {"project": foreign.pk}).status_code == 404


def test_a_projects_tasks_are_listed_raw_and_deleted_together(api, project, make_tasks, heard):
    ids = make_tasks(3, annotations=1)
    heard.clear()
    response = api.get(f"/api/projects/{project.pk}/tasks/?page_size=2")
    assert [task["id"] for task in response.json()] == ids[:2] and heard[0][1]["resolve"] is False
    assert api.delete(f"/api/projects/{project.pk}/tasks/").status_code == 204
    assert not Task.objects.exists() and not Annotation.objects.exists()
    assert_counters_right(project)


def test_deleting_a_project_over_the_api_takes_its_tasks(api, project, make_tasks):
    make_tasks(3, annotations=1, predictions=1)
    assert api.delete(f"/api/projects/{project.pk}/").status_code == 204
    assert not Task.objects.exists()


def test_a_new_overlap_set_over_the_api_reaches_the_tasks(api, project, make_tasks, django_capture_on_commit_callbacks):
    make_tasks(2, annotations=1)
    with django_capture_on_commit_callbacks(execute=True):
        assert api.patch(f"/api/projects/{project.pk}/", {"maximum_annotations": 2}).status_code == 200
    assert set(Task.objects.values_list("overlap", "is_labeled")) == {(2, False)}
    assert_counters_right(project)


@pytest.mark.parametrize("selected", [{"all": False, "included": [0, 1]}, {"all": True, "excluded": [2]}])
def test_the_delete_action_deletes_what_was_selected(api, project, make_tasks, selected):
    ids = make_tasks(3, annotations=1)
    selected = {
        name: [ids[position] for position in value] if isinstance(value, list) else value for name, value in selected.items()
    }
    response = api.post(f"/api/dm/actions/?id=delete_tasks&project={project.pk}", {"selectedItems": selected})
    assert (response.status_code, response.json()["processed_items"]) == (200, 2)
    assert list(Task.objects.values_list("id", flat=True)) == ids[2:]
    assert_counters_right(project)
    assert api.get(f"/api/dm/actions/?project={project.pk}").json()[0]["id"] == "delete_tasks"


@pytest.mark.parametrize(
    ("query", "body", "code"),
    [
        ("id=delete_tasks&project=0", {}, 404),
        ("id=delete_tasks", {}, 404),
        ("id=drop_tables&project={}", {"selectedItems": {"all": True}}, 400),
        ("id=delete_tasks&project={}", {}, 400),
        ("id=delete_tasks&project={}", {"selectedItems": {"all": 1}}, 400),
        ("id=delete_tasks&project={}", {"selectedItems": {"all": False, "included": "1"}}, 400),
        ("id=delete_tasks&project={}", {"selectedItems": {"all": True}, "filters": []}, 200),
    ],
)
def test_a_bad_action_deletes_nothing(api, project, make_tasks, query, body, code):
    make_tasks(1)
    assert api.post(f"/api/dm/actions/?{query.format(project.pk)}", body).status_code == code
    assert Task.objects.count() == (0 if code == 200 else 1)
