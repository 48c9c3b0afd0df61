"""The main job from end to end: the official SDK, unmodified, against the real server and its workers."""

import json

import pytest
import urllib3
from label_studio_sdk import LabelStudio
from label_studio_sdk.core.api_error import ApiError

from tests.e2e.server import until

CONFIG = '<View><Image name="image" value="$image"/><Choices name="kind" toName="image"><Choice value="tug"/></Choices></View>'
RESULT = [{"from_name": "kind", "to_name": "image", "type": "choices", "value": {"choices": ["tug"]}}]
DONE = ("completed", "completed_with_errors", "failed")


@pytest.fixture(params=["legacy token", "personal access token"])
def sdk(server, request):
    key = server.token
    if request.param == "personal access token":
        headers = {"Authorization": f"Token {server.token}"}
        for token in urllib3.request("GET", f"{server.url}/api/token/", headers=headers).json():
            assert token["token"].count(".") == 1
        answer = urllib3.request("POST", f"{server.url}/api/token/", headers=headers)
        assert answer.status == 201, answer.data
        key = answer.json()["token"]
    yield LabelStudio(base_url=server.url, api_key=key)
    if request.param == "personal access token":
        assert urllib3.request("POST", f"{server.url}/api/token/blacklist/", json={"refresh": key}, headers=headers).status == 204


def synced(api, pk):
    api.sync(pk)
    return ended(api, pk)


def ended(api, pk):
    return until(lambda: (storage := api.get(pk)).status in DONE and storage, 60, "the sync has ended")


def test_the_whole_story(server, sdk, bucket):
    keys = {
        "bucket": "data",
        "s3endpoint": bucket.url,
        "aws_access_key_id": bucket.access_key,
        "aws_secret_access_key": bucket.secret_key,
    }
    assert sdk.users.whoami().email == "sailor@harbour.example"
    project = sdk.projects.create(title="Ships of the harbour", label_config=CONFIG)
    stored = sdk.projects.get(project.id)
    assert stored.title == project.title and stored.get_label_interface().controls
    assert {kind.name for kind in sdk.import_storage.list_types()} >= {"s3", "localfiles"}

    sdk.import_storage.s3.validate(project=project.id, prefix="ships", **keys)
    with pytest.raises(ApiError) as refused:
        sdk.import_storage.s3.validate(project=project.id, **keys | {"aws_secret_access_key": "wrong"})
    assert refused.value.status_code == 400 and refused.value.body["validation_errors"]
    source = sdk.import_storage.s3.create(project=project.id, title="Ships", prefix="ships", use_blob_urls=True, **keys)
    assert (source.status, source.type) == ("initialized", "s3")
    storage = synced(sdk.import_storage.s3, source.id)
    assert (storage.status, storage.last_sync_count) == ("completed", 5)
    assert synced(sdk.import_storage.s3, source.id).last_sync_count == 0
    assert [one.id for one in sdk.import_storage.s3.list(project=project.id)] == [source.id]

    tasks = list(sdk.tasks.list(project=project.id, page_size=2))
    assert len(tasks) == 5 and {task.storage_filename for task in tasks} == {f"ships/{n}.png" for n in range(5)}
    assert sdk.projects.get(project.id).task_number == 5
    check_media(server, sdk, source.id, tasks[3])
    check_export(sdk, bucket, project, tasks[0], keys | {"bucket": "target", "prefix": "out"})
    check_task_files(sdk, project, keys)
    sdk.import_storage.s3.delete(source.id)
    sdk.projects.delete(project.id)
    with pytest.raises(ApiError) as gone:
        sdk.tasks.get(tasks[0].id)
    assert gone.value.status_code == 404


def check_media(server, sdk, source, task):
    """A browser follows the redirect to the bucket; with presign off the same link streams through the proxy."""
    redirect = server.get(task.data["image"])
    assert redirect.status == 303
    signed = urllib3.request("GET", redirect.headers["Location"])
    assert (signed.status, signed.data, signed.headers["Content-Type"]) == (200, bytes([3]) * 1000, "image/png")
    assert sdk.import_storage.s3.update(source, presign=False).presign is False
    whole = server.get(task.data["image"])
    assert (whole.status, whole.data, whole.headers["Content-Type"]) == (200, bytes([3]) * 1000, "image/png")
    part = server.get(task.data["image"], Range="bytes=-10")
    assert (part.status, part.headers["Content-Range"], len(part.data)) == (206, "bytes 990-999/1000", 10)
    assert server.get(task.data["image"], Range="bytes=1000-").status == 416
    assert server.get(task.data["image"], **{"If-None-Match": whole.headers["ETag"]}).status == 304
    stranger = urllib3.request("GET", server.url + task.data["image"], redirect=False)
    assert stranger.status == 401


def check_export(sdk, bucket, project, task, keys):
    """An annotation arrives in the target by itself, is rewritten on change and removed on deletion."""
    target = sdk.export_storage.s3.create(project=project.id, can_delete_objects=True, **keys)
    ended(sdk.export_storage.s3, target.id)  # a new target is synced at once
    annotation = sdk.annotations.create(task.id, result=RESULT, lead_time=4.2)
    key = f"out/{annotation.id}"
    body = json.loads(until(lambda: bucket.get("target", key), 20, "the annotation is in the target bucket"))
    assert body["result"] == RESULT and body["completed_by"]["email"] == "sailor@harbour.example"
    assert body["task"]["data"] == {"image": f"s3://data/{task.storage_filename}"} and body["task"]["id"] == task.id
    sdk.annotations.update(annotation.id, result=[], was_cancelled=True)
    until(lambda: json.loads(bucket.get("target", key))["was_cancelled"], 20, "the change is in the target bucket")
    assert sdk.projects.get(project.id).skipped_annotations_number == 1
    bucket.delete("target", key)
    storage = synced(sdk.export_storage.s3, target.id)
    assert (storage.status, storage.last_sync_count, storage.meta["total_annotations"]) == ("completed", 1, 1)
    assert bucket.get("target", key)
    sdk.annotations.delete(annotation.id)
    until(lambda: bucket.get("target", key) is None, 20, "the object is deleted with its annotation")


def check_task_files(sdk, project, keys):
    """The "Tasks" method, and the JSON export of the project."""
    source = sdk.import_storage.s3.create(project=project.id, title="Task files", prefix="tasks/", use_blob_urls=False, **keys)
    assert synced(sdk.import_storage.s3, source.id).last_sync_count == 2
    annotated = next(iter(sdk.tasks.list(project=project.id)))
    sdk.annotations.create(annotated.id, result=RESULT)
    exported = sdk.projects.exports.as_json(project.id)
    assert len(exported) == 7 and sum(len(task["annotations"]) for task in exported) == 1


def test_local_files_in_both_directions(server, sdk):
    name = f"pictures {'legacy' if sdk else ''}{id(sdk)}"
    source_dir, target_dir = server.files / name, server.files / f"{name}-out"
    source_dir.mkdir()
    target_dir.mkdir()
    hostile = ["a b#?.txt", "100%.txt", "ü+&=.txt"]
    for file in hostile:
        (source_dir / file).write_text(file)
    (source_dir / "escape.txt").symlink_to("/etc/hostname")
    project = sdk.projects.create(title="Local files", label_config='<View><Text name="t" value="$text"/></View>')
    source = sdk.import_storage.local.create(project=project.id, path=str(source_dir), use_blob_urls=True)
    assert synced(sdk.import_storage.local, source.id).last_sync_count == 3
    tasks = list(sdk.tasks.list(project=project.id))
    assert sorted(server.get(task.data["text"]).data.decode() for task in tasks) == sorted(hostile)
    target = sdk.export_storage.local.create(project=project.id, path=str(target_dir))
    ended(sdk.export_storage.local, target.id)
    annotation = sdk.annotations.create(tasks[0].id, result=[])
    file = target_dir / str(annotation.id)
    until(file.exists, 20, "the annotation is in the target directory")
    assert json.loads(file.read_text())["id"] == annotation.id
    assert synced(sdk.export_storage.local, target.id).status == "completed"
