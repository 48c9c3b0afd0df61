"""Annotations reach every target: at once when it is there, later when it is not, and never at the cost of a save."""

import json
import socket
import sqlite3
import threading
import time

import django_rq
import pytest
from django.db import connection

from storages import deliver, jobs, outbox
from storages.base import ExportStorage
from storages.links import ExportLink, OutboxItem
from storages.runs import ExportRun
from storages.sync.push import Pusher
from tests.storages.targets import RESULT, both, time_passes
from tests.storages.targets import annotate as annotate  # noqa: F401 - the fixture
from tests.storages.targets import place as place  # noqa: F401 - the fixture
from tests.storages.targets import task as task  # noqa: F401 - the fixture

pytestmark = pytest.mark.django_db(transaction=True)
PAYLOAD_KEYS = {
    "id", "result", "created_username", "created_ago", "completed_by", "task", "was_cancelled", "ground_truth", "created_at",
    "updated_at", "draft_created_at", "lead_time", "import_id", "last_action", "bulk_created", "project", "updated_by",
    "parent_prediction", "parent_annotation", "last_created_by",
}  # fmt: skip


@both
def test_created_changed_and_deleted_annotations_appear_change_and_vanish(
    backend, place, create, work, api, task, annotate, alice
):
    route, settings, read, _ = place(backend)
    create(route, settings, can_delete_objects=True)
    work()
    first, second = annotate(task, lead_time=4.2), annotate(task)
    work()
    assert set(read()) == {str(first), str(second)}
    payload = json.loads(read()[str(first)])
    assert set(payload) == PAYLOAD_KEYS and (payload["id"], payload["result"], payload["lead_time"]) == (first, RESULT, 4.2)
    assert payload["completed_by"] | {"id": alice.pk, "email": alice.email} == payload["completed_by"]
    assert (payload["task"]["id"], payload["task"]["data"]) == (task.pk, {"image": "s3://data/a.png"})
    changed = [RESULT[0] | {"value": {"choices": []}}]
    assert api.patch(f"/api/annotations/{first}/", {"result": changed}).status_code == 200
    work()
    assert json.loads(read()[str(first)])["result"] == changed
    assert api.delete(f"/api/annotations/{first}/").status_code == 204
    work()
    assert set(read()) == {str(second)} == {str(link.subject) for link in ExportLink.objects.all()}
    assert not OutboxItem.objects.exists()


@both
def test_without_the_right_to_delete_the_object_stays(backend, place, create, work, api, task, annotate):
    route, settings, read, _ = place(backend)
    create(route, settings)
    pk = annotate(task)
    work()
    assert api.delete(f"/api/annotations/{pk}/").status_code == 204
    work()
    assert set(read()) == {str(pk)} and not OutboxItem.objects.exists()
    assert ExportLink.objects.get().subject == pk, "it is still known to be ours"


@both
def test_a_target_that_is_down_costs_no_save_and_gets_everything_later(
    backend, place, create, work, tick, api, task, annotate, monkeypatch
):
    route, settings, read, broken = place(backend)
    storage = create(route, settings)["id"]
    work()
    broken(True)
    pk = annotate(task)
    work()
    assert OutboxItem.objects.get().attempts == 1, "tried, and waits"
    assert api.get(f"/api/storages/{route}/{storage}").json()["status"] == "completed", "the last sync's story stays"
    broken(False)
    time_passes()
    tick()
    assert set(read()) == {str(pk)} and not OutboxItem.objects.exists()


@pytest.mark.parametrize(("trouble", "within"), [("dead port", 1.0), ("silent server", 6.0)])
def test_a_queue_that_is_away_costs_no_save(create, s3, s3_settings, work, tick, task, annotate, settings, trouble, within):
    create("export/s3", s3_settings)
    work()
    alive = settings.RQ_QUEUES
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1] if trouble == "silent server" else 1
        settings.RQ_QUEUES = {name: queue | {"URL": f"redis://127.0.0.1:{port}/0"} for name, queue in alive.items()}
        pk = annotate(task, within=within)
    settings.RQ_QUEUES = alive
    assert not s3.get("data", str(pk))
    tick()
    assert s3.get("data", str(pk))


def test_a_delivery_job_that_died_with_its_worker_holds_up_nothing_for_long(
    create, s3, s3_settings, work, tick, task, annotate, monkeypatch
):
    create("export/s3", s3_settings)
    work()
    now, queue = time.time(), django_rq.get_queue("default")
    monkeypatch.setattr(time, "time", lambda: now)
    pk = annotate(task)
    assert queue.connection.lpop(queue.key), "taken by a worker that is killed now: RQ still knows the job"
    tick()
    assert s3.get("data", str(pk)) is None
    monkeypatch.setattr(time, "time", lambda: now + 60)
    tick()
    assert s3.get("data", str(pk))


def test_two_workers_claim_disjoint_rows_and_lose_none(create, s3_settings, work):
    target = ExportStorage.objects.get(pk=create("export/s3", s3_settings)["id"])
    work()
    OutboxItem.objects.bulk_create(OutboxItem(storage=target, form="annotation", subject=number) for number in range(200))
    taken, barrier = [], threading.Barrier(4)

    def claim():
        barrier.wait()
        while items := outbox.claim(target, f"worker-{threading.get_ident()}", limit=7):
            taken.extend(item.subject for item in items)
        connection.close()

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(taken) == len(set(taken))
    assert set(taken) | {item.subject for item in outbox.claim(target, "worker")} == set(range(200))


def test_a_change_during_a_delivery_is_delivered_again(create, s3, s3_settings, work, api, task, annotate):
    target = ExportStorage.objects.get(pk=create("export/s3", s3_settings)["id"]).concrete()
    work()
    pk = annotate(task)
    items = outbox.claim(target, "worker")
    api.patch(f"/api/annotations/{pk}/", {"lead_time": 2.0})
    assert outbox.claim(target, "worker") == [], "the row is taken: nobody else may write the object meanwhile"
    with Pusher(target.client()) as pusher:
        outbox.settle(deliver.deliver_chunk(target, pusher, items).written)
    assert OutboxItem.objects.get().version > items[0].version
    api.patch(f"/api/annotations/{pk}/", {"lead_time": 3.0})
    work()
    assert json.loads(s3.get("data", str(pk)))["lead_time"] == 3.0 and not OutboxItem.objects.exists()


def test_rows_of_a_worker_that_died_come_back(create, s3, s3_settings, work, tick, task, annotate):
    target = ExportStorage.objects.get(pk=create("export/s3", s3_settings)["id"])
    work()
    pk = annotate(task)
    assert len(outbox.claim(target, "worker")) == 1
    tick()
    assert s3.get("data", str(pk)) is None
    time_passes()  # CLAIM has passed
    tick()
    assert s3.get("data", str(pk)) and not OutboxItem.objects.exists()


def test_a_deleted_project_has_its_objects_deleted_where_that_is_allowed(
    create, work, api, s3, s3_settings, project, task, annotate, monkeypatch
):
    monkeypatch.setattr(outbox, "BACK_OFF", (0.5,))
    pk = create("export/s3", s3_settings, can_delete_objects=True, prefix="p-${project_id}")["id"]
    first = annotate(task)
    work()
    assert s3.get("data", f"p-{project.pk}/{first}")
    annotate(task)  # not delivered yet
    s3.refuse_all()
    assert api.delete(f"/api/projects/{project.pk}/").status_code == 204
    work()
    assert api.get(f"/api/storages/export/s3/{pk}").status_code == 404
    assert api.get("/api/storages/export").json() == []
    assert ExportStorage.objects.get().former_project == project.pk, "it waits for the bucket to come back"
    s3.heal()
    time.sleep(0.6)
    jobs.tick()
    work()
    assert s3.keys("data") == []
    assert not ExportStorage.objects.exists() and not OutboxItem.objects.exists() and not ExportLink.objects.exists()
    connection.check_constraints()


@pytest.mark.parametrize("gone", ["project", "storage", "task"])
def test_deleting_what_is_above_leaves_objects_alone_and_nothing_dangling(
    create, work, api, s3, s3_settings, project, task, annotate, gone
):
    storage = create("export/s3", s3_settings)["id"]
    pk = annotate(task)
    work()
    annotate(task)  # not delivered yet
    paths = {
        "project": f"/api/projects/{project.pk}/",
        "storage": f"/api/storages/export/s3/{storage}",
        "task": f"/api/tasks/{task.pk}/",
    }
    assert api.delete(paths[gone]).status_code == 204
    work()
    jobs.tick()
    work()
    assert s3.get("data", str(pk)), "the object stays"
    assert not OutboxItem.objects.exists() and ExportLink.objects.exists() == (gone == "task")
    if gone != "task":
        assert not ExportStorage.objects.exists() and not ExportRun.objects.exists()
    connection.check_constraints()


def test_a_kms_key_is_named_on_every_write(create, work, s3, s3_settings, task, annotate):
    create("export/s3", s3_settings, aws_sse_kms_key_id="arn:aws:kms:us-east-1:1:key/k")
    pk = annotate(task)
    work()
    sent = s3.headers_of_last_put("data", str(pk))
    assert sent["x-amz-server-side-encryption"] == "aws:kms"
    assert sent["x-amz-server-side-encryption-aws-kms-key-id"] == "arn:aws:kms:us-east-1:1:key/k"


def test_many_targets_of_a_project_fit_into_the_statements(create, project, api, documents, task):
    for number in range(25):
        create("export/localfiles", {"project": project.pk, "title": str(number), "path": str(documents)})
    if connection.vendor == "sqlite":
        connection.connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 32766)  # what SQLite is usually built with
    body = [{"data": {"image": "b"}, "annotations": [{"result": RESULT}] * 600}]
    assert api.post(f"/api/projects/{project.pk}/import", body).status_code == 201
    assert OutboxItem.objects.count() == 25 * 600


def test_a_worker_that_stood_still_until_its_claim_was_lost_has_the_object_written_once_more(
    create, s3, s3_settings, work, tick, task, annotate, api
):
    target = ExportStorage.objects.get(pk=create("export/s3", s3_settings)["id"]).concrete()
    work()
    pk = annotate(task)
    stalled = outbox.claim(target, "stalled")
    time_passes()  # CLAIM has passed
    tick()
    assert not OutboxItem.objects.exists(), "another worker delivered it"
    api.patch(f"/api/annotations/{pk}/", {"lead_time": 9.0})
    work()
    s3.put("data", str(pk), b"what the stalled worker had in its hands")
    outbox.settle(stalled)
    tick()
    assert json.loads(s3.get("data", str(pk)))["lead_time"] == 9.0 and not OutboxItem.objects.exists()
