"""The main job on every backend and with every sign-in method: the official SDK against a real server and its workers."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from inspect import signature

import pytest
import urllib3
from label_studio_sdk import LabelStudio
from label_studio_sdk.core.api_error import ApiError

from storages.backends import BACKENDS
from storages.fields import secret_names
from tests.backends.boxes import HARNESSES
from tests.backends.boxes.databricks import DatabricksEntraHarness, DatabricksPrincipalHarness
from tests.e2e.server import RunningServer, running, until
from tests.e2e.test_sdk_story import ended, synced

STORIES = {name: harness for name, harness in HARNESSES.items()} | {
    "databricks dbx_sp": DatabricksPrincipalHarness,
    "databricks azure_ad_sp": DatabricksEntraHarness,
}
# what one server can reach at once: the fakes of one cloud take its endpoints for themselves
SERVED = [
    ("s3", "s3s", "gcs", "azure", "redis", "localfiles", "databricks"),
    ("gcswif", "azure_spi"),
    ("gcs_sa", "databricks dbx_sp"),
    ("databricks azure_ad_sp",),
]
SDK_NAMES = {"localfiles": "local"}  # the SDK's name of a backend where it differs
SDK_FIELDS = {"s3_endpoint": "s3endpoint"}
PICTURES = {f"ships/{number}.png": bytes([number]) * 1000 for number in range(6)}
VALUES = {f"ships/{number}.json": json.dumps({"image": f"{number}.png"}).encode() for number in range(6)}
REST_FIELDS = {name: ours for ours, name in SDK_FIELDS.items()}
CONFIG = '<View><Image name="image" value="$image"/></View>'


class Story:
    """One backend's container, a server that can reach it, and the SDK's clients of both directions."""

    def __init__(self, box, server: RunningServer) -> None:
        self.box, self.server = box, server
        self.sdk = LabelStudio(base_url=server.url, api_key=server.token)
        name = SDK_NAMES.get(box.name, box.name)
        self.sources, self.targets = getattr(self.sdk.import_storage, name), getattr(self.sdk.export_storage, name)

    def settings(self, root: str) -> dict:
        return {SDK_FIELDS.get(name, name): value for name, value in self.box.settings(root).items()}

    @property
    def media(self) -> bool:
        """Whether objects become media; a backend without has JSON values only."""
        return self.box.client().capabilities.media


@pytest.fixture(scope="module")
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Story]]:
    """The stories of some backends, on one server."""
    directory, environment = tmp_path_factory.mktemp("stories"), {}
    with ExitStack() as boxes:
        made = {name: STORIES[name](directory / "served" / name.replace(" ", "-")) for name in request.param}
        for box in made.values():
            boxes.callback(box.close)
            assert all(environment.get(name, value) == value for name, value in box.environment.items()), box.environment
            environment |= box.environment
        with running(directory, "sqlite", **environment) as server:
            yield {name: Story(box, server) for name, box in made.items()}


def test_every_story_is_told():
    assert sorted(name for names in SERVED for name in names) == sorted(STORIES)


@pytest.mark.parametrize(
    ("served", "name"), [(names, name) for names in SERVED for name in names], indirect=["served"], scope="module"
)
def test_create_validate_sync_media_export_delete(served, name):
    story = served[name]
    box = story.box
    objects = PICTURES if story.media else VALUES
    for name, body in objects.items():
        box.put(name, body)
    project = story.sdk.projects.create(title="Ships", label_config=CONFIG)
    settings = story.settings("ships/") | {"project": project.id}

    story.sources.validate(**settings)
    check_refused(story.sources, story, settings)
    source = story.sources.create(title="Ships", use_blob_urls=story.media, **settings)
    assert (source.type, source.status) == (box.name, "initialized")
    stored = story.server.get(f"/api/storages/{box.name}/{source.id}").json()
    assert not set(stored) & set(secret_names(BACKENDS[box.name].import_model))
    storage = synced(story.sources, source.id)
    assert (storage.status, storage.last_sync_count) == ("completed", 6), storage
    assert synced(story.sources, source.id).last_sync_count == 0
    assert story.sources.update(source.id, title="Tugs").title == "Tugs"
    assert [one.title for one in story.sources.list(project=project.id)] == ["Tugs"]
    assert synced(story.sources, source.id).status == "completed", "the secrets are still there"
    check_preview(story, settings | {"id": source.id}, objects)

    tasks = list(story.sdk.tasks.list(project=project.id))
    assert len(tasks) == 6
    if story.media:
        check_media(story, source, tasks)
    check_export(story, project, tasks[0])
    story.sources.delete(source.id)
    with pytest.raises(ApiError) as gone:
        story.sources.get(source.id)
    assert gone.value.status_code == 404


def check_refused(api, story, settings):
    """A wrong secret is a 400 that says so; backends without one are sent to a place that does not exist."""
    secrets = [name for name in secret_names(BACKENDS[story.box.name].import_model) if settings.get(name)]
    place = {"azure": "account_key", "localfiles": "path", "gcs_sa": "bucket", "gcswif": "bucket"}.get(story.box.name)
    broken = place or secrets[-1]
    wrong = {"account_key": "d3Jvbmc=", "path": "/nowhere", "bucket": "no-such-bucket"}.get(broken, "wrong")
    with pytest.raises(ApiError) as refused:
        api.validate(**settings | {broken: wrong})
    assert refused.value.status_code == 400 and refused.value.body["validation_errors"]
    assert refused.value.body["connection"]["code"] in ("bad_credentials", "no_permission", "not_found", "misconfigured")


def check_preview(story, settings, objects):
    body = {REST_FIELDS.get(name, name): value for name, value in settings.items()}
    answer = story.server.post(f"/api/storages/{story.box.name}/files", body)
    assert answer.status == 200, answer.data
    files = answer.json()["files"]
    assert sorted(story.box.name_of(file["key"]) for file in files) == sorted(objects)


def check_media(story, source, tasks):
    """By redirect where the backend can sign, and through the proxy: whole, in part, as a HEAD."""
    server = story.server
    for task in tasks:
        name = story.box.name_of(task.storage_filename)
        first = server.get(task.data["image"])
        if story.box.client().capabilities.presign:
            assert first.status == 303, first.data
            with urllib3.PoolManager(ca_certs=story.server.authority) as browser:
                signed = browser.request("GET", first.headers["Location"])
            assert (signed.status, signed.data, signed.headers["Content-Type"]) == (200, PICTURES[name], "image/png")
        else:
            assert (first.status, first.data, first.headers["Content-Type"]) == (200, PICTURES[name], "image/png")
    if story.box.client().capabilities.presign:
        assert story.sources.update(source.id, presign=False).presign is False
    link = tasks[0].data["image"]
    body = PICTURES[story.box.name_of(tasks[0].storage_filename)]
    whole = server.get(link)
    assert (whole.status, whole.data, whole.headers["Content-Type"]) == (200, body, "image/png")
    part = server.get(link, Range="bytes=-10")
    assert (part.status, part.headers["Content-Range"], part.data) == (206, "bytes 990-999/1000", body[-10:])
    assert server.get(link, Range="bytes=1000-").status == 416


def check_export(story, project, task):
    """Every method that the SDK has for targets; what lies in the container is what the API's own export says, byte for byte."""
    settings = story.settings("out/") | {"project": project.id, "can_delete_objects": True}
    story.targets.validate(**settings)
    check_refused(story.targets, story, settings)
    target = story.targets.create(title="Labels", **settings)
    assert (target.type, target.project) == (story.box.name, project.id)
    assert ended(story.targets, target.id).status == "completed"
    if "id" in signature(story.targets.validate).parameters:  # that of s3s has none
        story.targets.validate(id=target.id, **settings)
    assert story.targets.get(target.id).can_delete_objects is True
    assert [one.id for one in story.targets.list(project=project.id)] == [target.id]
    assert story.targets.update(target.id, title="Annotations").title == "Annotations"
    check_delivered(story, target, task)
    for pk in (target.id, check_forms(story, project, task)):
        story.targets.delete(pk)
        with pytest.raises(ApiError) as gone:
            story.targets.get(pk)
        assert gone.value.status_code == 404
    assert list(story.targets.list(project=project.id)) == []


def check_delivered(story, target, task):
    """Saved, changed, synced anew, deleted; somebody else's object stays."""
    box, annotations = story.box, story.sdk.annotations
    box.put("out/999999999", b"somebody else's")
    first, second = annotations.create(task.id, result=[], lead_time=1.5), annotations.create(task.id, result=[], lead_time=2)
    for one in (first, second):
        written = until(lambda name=f"out/{one.id}": box.get(name), 20, "the annotation is in the target")
        saved = json.loads(written)
        assert (saved["id"], saved["task"]["id"], saved["lead_time"]) == (one.id, task.id, one.lead_time)
        assert written == compact(saved)
    annotations.update(first.id, result=[], was_cancelled=True)
    until(lambda: json.loads(box.get(f"out/{first.id}"))["was_cancelled"], 20, "the change is in the target")
    storage = synced(story.targets, target.id)
    assert (storage.status, storage.last_sync_count) == ("completed", 2), storage
    check_equal(story, task, [first.id, second.id])
    annotations.delete(first.id)
    until(lambda: box.get(f"out/{first.id}") is None, 20, "the object is deleted with its annotation")
    assert box.get(f"out/{second.id}") and box.get("out/999999999") == b"somebody else's"


def check_equal(story, task, annotations):
    """The objects hold what the API tells of their annotations."""
    for pk in annotations:
        saved, told = json.loads(story.box.get(f"out/{pk}")), story.server.get(f"/api/annotations/{pk}/").json()
        same = ("id", "result", "was_cancelled", "ground_truth", "lead_time", "created_at", "updated_at")
        assert {name: saved[name] for name in same} == {name: told[name] for name in same}
        assert saved["task"]["data"] == story.server.get(f"/api/tasks/{task.id}/?resolve_uri=false").json()["data"]


def compact(payload):
    return json.dumps(payload, separators=(",", ":")).encode()


def check_forms(story, project, task):
    """What the SDK knows no fields for: one object per task, under a name of one's own; the id of that target."""
    rest = {REST_FIELDS.get(name, name): value for name, value in story.settings("tasks/").items()}
    body = rest | {"project": project.id, "can_delete_objects": True, "object_form": "task"}
    route = f"/api/storages/export/{story.box.name}"
    refused = story.server.post(route, body | {"key_template": "{annotation_id}.json"})
    assert refused.status == 400 and "key_template" in refused.json()["validation_errors"], refused.data
    answer = story.server.post(route, body | {"key_template": "{project_id}/{task_id}.json"})
    assert answer.status == 201, answer.data
    stored, name = answer.json(), f"tasks/{project.id}/{task.id}.json"
    assert (stored["object_form"], stored["key_template"]) == ("task", "{project_id}/{task_id}.json")
    written = until(lambda: story.box.get(name), 20, "the task is in the target")
    [annotation] = json.loads(written)["annotations"]
    assert written == compact(json.loads(written))
    story.sdk.annotations.delete(annotation["id"])
    until(lambda: story.box.get(name) is None, 20, "the last annotation takes the task's object along")
    return stored["id"]
