"""The main job on every backend and with every sign-in method: the official SDK against a real server and its workers."""

import json
from collections.abc import Iterator

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
SDK_NAMES = {"localfiles": "local"}  # the SDK's name of a backend where it differs
SDK_FIELDS = {"s3_endpoint": "s3endpoint"}
PICTURES = {f"ships/{number}.png": bytes([number]) * 1000 for number in range(6)}
VALUES = {f"ships/{number}.json": json.dumps({"image": f"{number}.png"}).encode() for number in range(6)}
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


@pytest.fixture(params=list(STORIES))
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    directory = tmp_path_factory.mktemp("story")
    box = STORIES[request.param](directory / "served" / "box")
    try:
        with running(directory, "sqlite", **box.environment) as server:
            yield Story(box, server)
    finally:
        box.close()


def test_create_validate_sync_media_export_delete(story):
    box = story.box
    objects = PICTURES if story.media else VALUES
    for name, body in objects.items():
        box.put(name, body)
    project = story.sdk.projects.create(title="Ships", label_config=CONFIG)
    settings = story.settings("ships/") | {"project": project.id}

    story.sources.validate(**settings)
    check_wrong_secret(story, settings)
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


def check_wrong_secret(story, settings):
    """A wrong secret is a 400 that says so; backends without one are sent to a place that does not exist."""
    secrets = [name for name in secret_names(BACKENDS[story.box.name].import_model) if settings.get(name)]
    place = {"azure": "account_key", "localfiles": "path", "gcs_sa": "bucket", "gcswif": "bucket"}.get(story.box.name)
    broken = place or secrets[-1]
    wrong = {"account_key": "d3Jvbmc=", "path": "/nowhere", "bucket": "no-such-bucket"}.get(broken, "wrong")
    with pytest.raises(ApiError) as refused:
        story.sources.validate(**settings | {broken: wrong})
    assert refused.value.status_code == 400 and refused.value.body["validation_errors"]
    assert refused.value.body["connection"]["code"] in ("bad_credentials", "no_permission", "not_found", "misconfigured")


def check_preview(story, settings, objects):
    body = {{"s3endpoint": "s3_endpoint"}.get(name, name): value for name, value in settings.items()}
    headers = {"Authorization": f"Token {story.server.token}"}
    answer = urllib3.request("POST", f"{story.server.url}/api/storages/{story.box.name}/files", json=body, headers=headers)
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
    settings = story.settings("out/") | {"project": project.id, "can_delete_objects": True}
    target = story.targets.create(title="Labels", **settings)
    assert ended(story.targets, target.id).status == "completed"
    annotation = story.sdk.annotations.create(task.id, result=[], lead_time=1.5)
    written = until(lambda: story.box.get(f"out/{annotation.id}"), 20, "the annotation is in the target")
    assert json.loads(written)["id"] == annotation.id and json.loads(written)["task"]["id"] == task.id
    assert synced(story.targets, target.id).status == "completed"
    story.sdk.annotations.delete(annotation.id)
    until(lambda: story.box.get(f"out/{annotation.id}") is None, 20, "the object is deleted with its annotation")
    assert [one.id for one in story.targets.list(project=project.id)] == [target.id]
    story.targets.delete(target.id)
