"""The annotation endpoints, single and bulk."""

import pytest

from projects.models import Project
from tasks.models import Annotation, Task
from tests.conftest import client_of
from tests.tasks.checks import assert_counters_right
from tests.tasks.conftest import RESULT

pytestmark = pytest.mark.django_db
KEYS = set(
    "id result created_username created_ago completed_by was_cancelled ground_truth created_at updated_at draft_created_at"
    " lead_time import_id last_action bulk_created task project updated_by parent_prediction parent_annotation"
    " last_created_by".split()
)


@pytest.fixture
def task_id(make_tasks) -> int:
    return make_tasks(1)[0]


def test_an_annotation_is_created_by_whoever_is_signed_in(api, alice, project, task_id, heard):
    response = api.post(f"/api/tasks/{task_id}/annotations/", {"result": RESULT, "lead_time": 2.5, "ground_truth": True})
    body = response.json()
    assert response.status_code == 201 and set(body) == KEYS
    assert (body["result"], body["completed_by"], body["task"], body["project"]) == (RESULT, alice.pk, task_id, project.pk)
    assert heard == [
        ("annotations_changed", {"project_id": project.pk, "pairs": [(body["id"], task_id)], "deleted": False}),
    ]
    assert_counters_right(project)
    task = Task.objects.get()
    assert (task.is_labeled, task.total_annotations, task.updated_by) == (True, 1, alice)


def test_every_key_is_optional(api, task_id):
    response = api.post(f"/api/tasks/{task_id}/annotations/", {})
    assert (response.status_code, response.json()["result"]) == (201, None)


def test_a_colleague_can_be_named_as_author(api, bob, task_id):
    assert api.post(f"/api/tasks/{task_id}/annotations/", {"completed_by": bob.pk}).json()["completed_by"] == bob.pk


def test_an_annotation_is_changed(api, bob, project, task_id, heard):
    pk = api.post(f"/api/tasks/{task_id}/annotations/", {"result": RESULT}).json()["id"]
    heard.clear()
    body = (
        client_of(bob).patch(f"/api/annotations/{pk}/", {"result": [], "was_cancelled": True, "task": 99, "project": 99}).json()
    )
    assert (body["result"], body["was_cancelled"], body["updated_by"], body["task"]) == ([], True, bob.pk, task_id)
    assert [name for name, _ in heard] == ["annotations_changed"] and heard[0][1]["pairs"] == [(pk, task_id)]
    assert_counters_right(project)


def test_a_deleted_annotation_is_gone_and_counted_out(api, project, task_id, heard):
    pk = api.post(f"/api/tasks/{task_id}/annotations/", {"ground_truth": True}).json()["id"]
    heard.clear()
    assert api.delete(f"/api/annotations/{pk}/").status_code == 204
    assert api.get(f"/api/annotations/{pk}/").status_code == 404
    assert heard == [("annotations_changed", {"project_id": project.pk, "pairs": [(pk, task_id)], "deleted": True})]
    assert_counters_right(project)


def test_annotations_of_a_task_are_listed_in_the_order_asked_for(api, task_id):
    ids = [api.post(f"/api/tasks/{task_id}/annotations/", {}).json()["id"] for _ in range(3)]
    assert [item["id"] for item in api.get(f"/api/tasks/{task_id}/annotations/").json()] == ids
    assert [item["id"] for item in api.get(f"/api/tasks/{task_id}/annotations/?ordering=-id").json()] == ids[::-1]
    assert api.get(f"/api/tasks/{task_id}/annotations/?ordering=task__project").status_code == 400


BAD_BODIES = [
    *[({"result": "{"}, "result"), ({"result": 5}, "result"), ({"result": ["\0"]}, "result"), ({"result": {"a": 1}}, "result")],
    *[({"lead_time": "long"}, "lead_time"), ({"lead_time": "nan"}, "lead_time"), ({"lead_time": 10**400}, "lead_time")],
    *[
        ({"was_cancelled": "perhaps"}, "was_cancelled"),
        ({"completed_by": 2**63}, "completed_by"),
        ({"completed_by": 999}, "completed_by"),
    ],
    *[({"import_id": 2**63}, "import_id"), ({"unique_id": "x"}, "unique_id"), ({"draft_created_at": "soon"}, "draft_created_at")],
    *[({"last_action": "x" * 129}, "last_action"), ([], "non_field_errors"), ("text", "non_field_errors")],
]


@pytest.mark.parametrize(("body", "field"), BAD_BODIES)
def test_a_bad_annotation_names_its_field_and_is_not_saved(api, project, task_id, body, field):
    response = api.post(f"/api/tasks/{task_id}/annotations/", body, format="json")
    assert response.status_code == 400 and field in response.json()["validation_errors"], response.content
    assert not Annotation.objects.exists()
    assert_counters_right(project)


def test_a_unique_id_is_taken_once(api, task_id):
    body = {"unique_id": "6f0ad2e2-57a2-4d4e-9f0c-7d4b1b7f0a11"}
    pk = api.post(f"/api/tasks/{task_id}/annotations/", body).json()["id"]
    response = api.post(f"/api/tasks/{task_id}/annotations/", body)
    assert response.status_code == 400 and "unique_id" in response.json()["validation_errors"]
    assert api.patch(f"/api/annotations/{pk}/", body).status_code == 200


def test_an_author_of_another_organization_is_refused(api, charlie, task_id):
    assert api.post(f"/api/tasks/{task_id}/annotations/", {"completed_by": charlie.pk}).status_code == 400
    assert not Annotation.objects.exists()


def test_many_tasks_are_annotated_at_once(api, alice, project, make_tasks, heard, django_assert_max_num_queries):
    ids = make_tasks(50)
    with django_assert_max_num_queries(25):
        response = api.post("/api/annotations/bulk/", {"tasks": ids, "result": RESULT})
    assert response.status_code == 201 and len(response.json()) == 50
    saved = Annotation.objects.get(pk=response.json()[0]["id"])
    assert (saved.completed_by, saved.bulk_created, saved.result) == (alice, True, RESULT)
    assert [name for name, _ in heard] == ["annotations_changed"] and len(heard[0][1]["pairs"]) == 50
    assert_counters_right(project)


@pytest.mark.parametrize(
    ("selected", "count"), [({"all": False, "included": [0, 2]}, 2), ({"all": True, "excluded": [1]}, 2), ({"all": True}, 3)]
)
def test_a_selection_is_annotated_at_once(api, project, make_tasks, selected, count):
    ids = make_tasks(3)
    selected = {
        name: [ids[position] for position in value] if isinstance(value, list) else value for name, value in selected.items()
    }
    assert len(api.post("/api/annotations/bulk/", {"project": project.pk, "selected_items": selected}).json()) == count
    assert_counters_right(project)


@pytest.mark.parametrize(
    ("body", "code"),
    [({}, 400), ({"tasks": ["x"]}, 400), ({"tasks": [2**62]}, 404), ({"tasks": "1"}, 400), ({"project": 1}, 400), ([], 400)],
)
def test_a_bad_bulk_request_saves_nothing(api, make_tasks, body, code):
    (task_id,) = make_tasks(1)
    if code == 404:
        body = {"tasks": [task_id, *body["tasks"]]}
    assert api.post("/api/annotations/bulk/", body, format="json").status_code == code
    assert not Annotation.objects.exists()


def test_annotations_are_deleted_in_bulk_within_one_project(api, project, make_tasks, alice):
    other = Project.objects.create(title="Other", organization=alice.active_organization)
    make_tasks(4, annotations=1)
    make_tasks(1, annotations=1, target=other)
    ids = list(Annotation.objects.order_by("id").values_list("id", flat=True))
    response = api.post("/api/annotations/bulk-delete/", {"ids": [*ids[:2], ids[4], 2**60], "project": project.pk})
    assert (response.status_code, response.json()) == (200, {"deleted_count": 2})
    assert set(Annotation.objects.values_list("id", flat=True)) == set(ids[2:])
    assert_counters_right(project)
    assert_counters_right(other)


@pytest.mark.parametrize(
    "body", [{}, {"ids": [], "project": 1}, {"ids": [1] * 101, "project": 1}, {"ids": ["a"], "project": 1}, {"ids": [1]}]
)
def test_a_bad_bulk_delete_is_refused(api, body):
    assert api.post("/api/annotations/bulk-delete/", body).status_code == 400


def test_whoever_annotated_is_listed_once(api, alice, bob, project, make_tasks):
    make_tasks(2, annotations=2, author=bob)
    make_tasks(1, annotations=1)
    (person,) = api.get(f"/api/projects/{project.pk}/annotators/").json()
    assert (person["id"], person["email"]) == (bob.pk, bob.email)
