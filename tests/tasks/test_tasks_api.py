"""The task endpoints but for the list: single tasks, a project's tasks together, actions."""

import pytest

from projects.models import Project
from tasks.models import Annotation, Task
from tests.tasks.checks import assert_counters_right
from tests.tasks.test_task_pages import FULL_KEYS

pytestmark = pytest.mark.django_db


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
