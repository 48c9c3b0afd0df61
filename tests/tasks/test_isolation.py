"""A stranger, signed in to an organization of her own, meets 404 wherever Alice's things are named."""

import pytest

from projects.models import Project
from tasks.models import Annotation, Prediction, Task
from tests.conftest import client_of
from tests.tasks.conftest import RESULT

pytestmark = pytest.mark.django_db

CALLS = [
    ("get", "/api/tasks/?project={project}", None),
    ("post", "/api/tasks/", {"project": "{project}", "data": {"image": "x"}}),
    ("get", "/api/tasks/{task}/", None),
    ("patch", "/api/tasks/{task}/", {"data": {"image": "x"}}),
    ("delete", "/api/tasks/{task}/", None),
    ("get", "/api/tasks/{task}/annotations/", None),
    ("post", "/api/tasks/{task}/annotations/", {"result": []}),
    ("get", "/api/annotations/{annotation}/", None),
    ("patch", "/api/annotations/{annotation}/", {"result": []}),
    ("delete", "/api/annotations/{annotation}/", None),
    ("post", "/api/annotations/bulk/", {"tasks": ["{task}"], "result": []}),
    ("post", "/api/annotations/bulk/", {"tasks": ["{own_task}", "{task}"], "result": []}),
    ("post", "/api/annotations/bulk/", {"project": "{project}", "selected_items": {"all": True}}),
    ("post", "/api/annotations/bulk-delete/", {"project": "{project}", "ids": ["{annotation}"]}),
    ("get", "/api/predictions/?task={task}", None),
    ("get", "/api/predictions/?project={project}", None),
    ("get", "/api/predictions/?task__project={project}", None),
    ("post", "/api/predictions/", {"task": "{task}", "result": []}),
    ("get", "/api/predictions/{prediction}/", None),
    ("patch", "/api/predictions/{prediction}/", {"score": 1}),
    ("patch", "/api/predictions/{own_prediction}/", {"task": "{task}"}),
    ("delete", "/api/predictions/{prediction}/", None),
    ("patch", "/api/tasks/{own_task}/", {"project": "{project}"}),
    ("get", "/api/projects/{project}/tasks/", None),
    ("delete", "/api/projects/{project}/tasks/", None),
    ("get", "/api/projects/{project}/annotators/", None),
    ("post", "/api/projects/{project}/import", [{"image": "x"}]),
    ("post", "/api/projects/{project}/import/predictions", [{"task": "{task}", "result": []}]),
    ("get", "/api/projects/{project}/export", None),
    ("get", "/api/projects/{project}/export/formats", None),
    ("get", "/api/dm/actions/?project={project}", None),
    ("post", "/api/dm/actions/?id=delete_tasks&project={project}", {"selectedItems": {"all": True}}),
]


@pytest.fixture
def world(project, charlie, make_tasks) -> dict[str, int]:
    """Ids of Alice's project and what is in it, and of what Charlie owns."""
    own = Project.objects.create(title="Own", organization=charlie.active_organization)
    (task,) = make_tasks(1, annotations=1, predictions=1)
    (own_task,) = make_tasks(1, annotations=1, predictions=1, target=own)
    return {
        "project": project.pk,
        "task": task,
        "annotation": Annotation.objects.get(task_id=task).pk,
        "prediction": Prediction.objects.get(task_id=task).pk,
        "own_project": own.pk,
        "own_task": own_task,
        "own_prediction": Prediction.objects.get(task_id=own_task).pk,
    }


def filled(value, world: dict[str, int]):
    """``value`` with placeholders replaced; one that is the whole text becomes a number."""
    if isinstance(value, dict):
        return {key: filled(item, world) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, world) for item in value]
    if isinstance(value, str):
        return world[value[1:-1]] if value[1:-1] in world else value.format(**world)
    return value


def everything() -> list:
    return [list(model.objects.order_by("id").values()) for model in (Project, Task, Annotation, Prediction)]


@pytest.mark.parametrize(("verb", "url", "body"), CALLS)
def test_what_belongs_to_another_organization_does_not_exist(stranger, world, verb, url, body):
    before = everything()
    response = getattr(stranger, verb)(
        filled(url, world), filled(body, world), **({"format": "json"} if body is not None else {})
    )
    assert response.status_code == 404 and response.json()["status_code"] == 404, response.content
    assert everything() == before


@pytest.mark.parametrize(("verb", "url", "body"), CALLS)
def test_nobody_gets_in_without_credentials(world, verb, url, body):
    before = everything()
    response = getattr(client_of(None), verb)(
        filled(url, world), filled(body, world), **({"format": "json"} if body is not None else {})
    )
    assert response.status_code == 401
    assert everything() == before


def test_ids_of_strangers_within_the_own_project_have_no_effect(stranger, world):
    before = everything()
    body = {"project": world["own_project"], "ids": [world["annotation"]]}
    assert stranger.post("/api/annotations/bulk-delete/", body).json() == {"deleted_count": 0}
    rows = [{"task": world["task"], "result": RESULT}]
    assert stranger.post(f"/api/projects/{world['own_project']}/import/predictions", rows, format="json").status_code == 400
    assert stranger.get(f"/api/projects/{world['own_project']}/export?ids={world['task']}").streaming_content is not None
    selected = {"selectedItems": {"all": False, "included": [world["task"]]}}
    assert (
        stranger.post(f"/api/dm/actions/?id=delete_tasks&project={world['own_project']}", selected).json()["processed_items"] == 0
    )
    assert everything() == before


def test_lists_without_a_filter_hold_own_things_only(stranger, world):
    content = b"".join(stranger.get("/api/predictions/").streaming_content)
    assert f'"id":{world["own_prediction"]},'.encode() in content and f'"id":{world["prediction"]},'.encode() not in content
