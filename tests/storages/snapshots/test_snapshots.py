"""A snapshot holds every annotated task once, is described by its manifest, and is seen when it is whole or never."""

import hashlib
import io
import json

import pytest
from pyarrow import parquet

from storages import jobs
from storages.runs import ExportIssue, ExportRun
from storages.snapshots import shards
from tasks.models import Annotation, Task
from tasks.payloads import task_payloads
from tests.storages.snapshots.conftest import manifest_of
from tests.storages.targets import both
from tests.storages.test_api import envelope

pytestmark = pytest.mark.django_db(transaction=True)
formats = pytest.mark.parametrize("form", ["jsonl", "parquet"])


@both
@formats
def test_it_holds_every_annotated_task_and_the_manifest_counts_them(backend, form, target, snapshot, label, small, project):
    label(5)
    Task.objects.create(project=project, inner_id=99, data={"image": "not annotated"})
    place = target(backend)
    run = snapshot(place, format=form)
    assert (run["state"], run["kind"], run["total"]) == ("completed", "snapshot", 5)
    assert (run["counters"]["listed"], run["counters"]["new"], run["counters"]["failed"]) == (5, 5, 0)
    told = manifest_of(place, run)
    assert told["counts"] | {"tasks": 5, "annotations": 5, "predictions": 0, "shards": 3} == told["counts"]
    assert (told["run"], told["format"], told["folder"]) == (run["id"], form, run["snapshot"]["folder"])
    assert told["project"] == {"id": project.pk, "title": project.title, "label_config": project.label_config}
    rows = []
    for shard in told["shards"]:
        body = place.objects()[told["folder"] + shard["name"]]
        assert (len(body), hashlib.sha256(body).hexdigest()) == (shard["bytes"], shard["sha256"])
        found = (
            [json.loads(line) for line in body.splitlines()]
            if form == "jsonl"
            else parquet.read_table(io.BytesIO(body)).to_pylist()
        )
        assert len(found) == shard["tasks"] <= 2
        rows += found
    assert [row["id"] for row in rows] == list(Annotation.objects.order_by("id").values_list("task_id", flat=True))
    assert run["bytes"] == sum(map(len, (body for key, body in place.objects().items() if "snapshots/" in key)))
    assert len(place.objects()) == 4, "nothing else was written"


def test_a_line_holds_what_a_json_export_holds(target, snapshot, motley):
    place = target()
    run = snapshot(place)
    lines = [json.loads(line) for line in place.objects()[f"{run['snapshot']['folder']}part-00000.jsonl"].splitlines()]
    expected = [payload for _, payload in task_payloads(motley[:2])]
    for payload, line in zip(expected, lines, strict=True):
        for annotation in payload["annotations"]:
            del annotation["result_count"]
        guesses = line.pop("predictions")
        assert [guess["id"] for guess in guesses] == payload.pop("predictions")
        assert line == payload
    assert guesses[0] | {"score": 0.875, "model_version": "v2 ä", "neighbors": None} == guesses[0]


def test_a_project_without_annotations_gives_an_empty_snapshot(target, snapshot):
    place = target()
    run = snapshot(place, name="gold.v-1")
    assert run["state"] == "completed" and run["snapshot"]["folder"].endswith(f"-{run['id']}-gold.v-1/")
    assert (manifest_of(place, run)["shards"], manifest_of(place, run)["counts"]["tasks"]) == ([], 0)


def test_a_shard_ends_before_it_grows_too_large(target, snapshot, label, monkeypatch):
    label(4)
    monkeypatch.setattr(shards, "MOST_BYTES", 2500)
    place = target(prefix="out/${project_id}")
    run = snapshot(place)
    sizes = [shard["bytes"] for shard in manifest_of(place, run)["shards"]]
    assert sum(shard["tasks"] for shard in manifest_of(place, run)["shards"]) == 4
    assert len(sizes) > 1 and max(sizes) <= 2500


def test_it_is_of_one_moment(target, snapshot, label, small, when_asked, project, alice):
    label(600)  # several chunks
    place = target()

    def change():
        Annotation.objects.filter(project=project).update(was_cancelled=True)
        label(1)

    when_asked("PUT", "part-00000", change)
    run = snapshot(place)
    rows = [line for key, body in place.objects().items() if key.endswith("jsonl") for line in body.splitlines()]
    assert (run["state"], run["counters"]["new"], len(rows)) == ("completed", 600, 600)
    assert not any(annotation["was_cancelled"] for row in rows for annotation in json.loads(row)["annotations"])


@pytest.mark.parametrize("allowed", [True, False])
def test_a_cancelled_snapshot_is_never_seen(allowed, api, target, snapshot, label, small, when_asked):
    label(600)
    place = target(can_delete_objects=allowed)
    when_asked("PUT", "part-00001", lambda: api.post(f"{place.path}/cancel"))
    run = snapshot(place)
    kept = [key for key in place.objects() if "snapshots/" in key]
    assert run["state"] == "cancelled" and not any(key.endswith("manifest.json") for key in kept)
    issues = list(ExportIssue.objects.values_list("key", "code"))
    assert (len(kept), issues) == ((0, []) if allowed else (2, [(run["snapshot"]["folder"], "leftover")]))


@pytest.mark.parametrize("last", ["part-00001", "manifest"])
def test_a_target_that_refuses_ends_the_run_and_shows_nothing(last, target, snapshot, label, small, s3):
    label(3)
    place = target(can_delete_objects=True)
    s3.fail_next(1, status=403, code="AccessDenied", match=last)
    run = snapshot(place)
    assert (run["state"], run["error"]["code"]) == ("failed", "no_permission") and "s3:PutObject" in run["error"]["message"]
    assert not [key for key in place.objects() if "snapshots/" in key]


def test_a_target_that_stumbles_is_asked_again(target, snapshot, label, s3):
    label(3)
    place = target()
    s3.fail_next(4, status=503, code="SlowDown", match="part-00000")  # more than the client forgives by itself
    assert snapshot(place)["state"] == "completed"


@pytest.mark.parametrize("allowed", [True, False])
def test_what_a_killed_worker_left_is_not_seen_and_removed_by_the_next_snapshot(
    allowed, target, snapshot, label, small, s3, s3_settings
):
    label(3)
    place = target(can_delete_objects=allowed, prefix="out")
    first = snapshot(place)
    dead = first["snapshot"]["folder"]
    s3.delete("data", f"{dead}manifest.json")  # as it is when the worker dies behind its second shard
    ExportRun.objects.filter(pk=first["id"]).update(state="in_progress", cursor="2", heartbeat="2020-01-01T00:00Z")
    second = snapshot(place)
    assert second["state"] == "completed" and second["snapshot"]["folder"] != dead
    assert ExportRun.objects.get(pk=first["id"]).error_code == "worker_lost"
    assert (s3.keys("data", dead) == []) == allowed
    assert len(s3.keys("data", second["snapshot"]["folder"])) == 3


def test_a_whole_snapshot_is_no_leftover_though_its_worker_died(target, snapshot, label, s3):
    label(3)
    place = target(can_delete_objects=True)
    first = snapshot(place)
    ExportRun.objects.filter(pk=first["id"]).update(state="failed", error_code="worker_lost")
    snapshot(place)
    assert len(s3.keys("data", first["snapshot"]["folder"])) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"format": "csv"},
        {"format": None},
        {"format": ["jsonl"]},
        {"name": "a/b"},
        {"name": ".."},
        {"name": "x" * 65},
        {"name": "a b"},
        [1],
    ],
)
def test_a_bad_request_is_refused_and_starts_nothing(body, api, target):
    place = target()
    answer = api.post(f"{place.path}/snapshot", body)
    assert envelope(answer, 400) and not ExportRun.objects.filter(kind="snapshot").exists()


def test_one_run_at_a_time_and_only_for_those_who_see_the_target(api, stranger, target, work, s3):
    place = target()
    work()
    assert stranger.post(f"{place.path}/snapshot").status_code == 404
    assert api.post("/api/storages/export/gcs/999/snapshot").status_code == 404
    s3.refuse_all()
    assert envelope(api.post(f"{place.path}/snapshot"), 400)
    s3.heal()
    first = api.post(f"{place.path}/snapshot")
    assert (first.status_code, first.json()["state"], first.json()["snapshot"]["format"]) == (201, "queued", "jsonl")
    assert envelope(api.post(f"{place.path}/snapshot"), 409)
    work()
    jobs.tick()
    assert api.get(f"{place.path}/runs/{first.json()['id']}").json()["state"] == "completed"
