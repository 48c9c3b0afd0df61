"""A full sync of a target writes everything and reports what it could not; and what an exported object is called and holds."""

import json

import pytest
from django.utils import timezone

from storages import courier, deliver, jobs, outbox
from storages.links import ExportLink, OutboxItem
from tasks.models import Annotation
from tests.storages.targets import RESULT, both, time_passes
from tests.storages.targets import annotate as annotate  # noqa: F401 - the fixture
from tests.storages.targets import place as place  # noqa: F401 - the fixture
from tests.storages.targets import task as task  # noqa: F401 - the fixture

pytestmark = pytest.mark.django_db(transaction=True)


@both
def test_a_full_sync_writes_everything_and_counts_it(backend, place, create, sync, project, alice, task):
    route, settings, read, _ = place(backend)
    made = [Annotation.objects.create(task=task, project=project, result=RESULT, completed_by=alice).pk for _ in range(150)]
    done = sync(route, create(route, settings)["id"])
    assert (done["status"], done["last_sync_count"], done["meta"]["total_annotations"]) == ("completed", 150, 150)
    assert set(read()) == set(map(str, made)) and done["traceback"] is None


def test_writes_that_fail_are_named_and_the_others_are_written(create, sync, s3, s3_settings, project, alice, task):
    storage = create("export/s3", s3_settings)["id"]
    made = [Annotation.objects.create(task=task, project=project, result=RESULT, completed_by=alice).pk for _ in range(5)]
    s3.fail_next(99, status=403, code="AccessDenied", match=f"/data/{made[2]}$")
    done = sync("export/s3", storage)
    assert (done["status"], done["last_sync_count"], done["meta"]["failed"]) == ("completed_with_errors", 4, 1)
    assert f"{made[2]}: " in done["traceback"] and "s3:PutObject" in done["traceback"]
    s3.heal()
    time_passes()
    jobs.deliver_outbox(storage)
    assert s3.get("data", str(made[2])), "the outbox goes on trying"


def test_refused_credentials_end_the_sync_as_failed(create, sync, api, work, s3, s3_settings, project, alice, task):
    storage = create("export/s3", s3_settings)["id"]
    work()
    Annotation.objects.create(task=task, project=project, result=RESULT, completed_by=alice)
    assert api.post(f"/api/storages/export/s3/{storage}/sync").status_code == 200
    s3.fail_next(99, status=403, code="InvalidAccessKeyId")
    work()
    done = api.get(f"/api/storages/export/s3/{storage}").json()
    assert done["status"] == "failed" and "rejected the credentials" in done["traceback"]
    assert OutboxItem.objects.count() == 1, "nothing is lost"


@pytest.mark.parametrize(("extension", "name"), [(True, "{}.json"), (False, "{}")])
def test_the_task_form_holds_all_annotations_of_a_task(
    create, work, api, s3, s3_settings, task, annotate, settings, extension, name
):
    settings.FUTURE_SAVE_TASK_TO_STORAGE, settings.FUTURE_SAVE_TASK_TO_STORAGE_JSON_EXT = True, extension
    create("export/s3", s3_settings, prefix="out/", can_delete_objects=True)
    first, second = annotate(task), annotate(task)
    work()
    key = f"out/{name.format(task.pk)}"
    saved = json.loads(s3.get("data", key))
    assert (saved["id"], [one["id"] for one in saved["annotations"]]) == (task.pk, [first, second])
    api.delete(f"/api/annotations/{first}/")
    work()
    assert [one["id"] for one in json.loads(s3.get("data", key))["annotations"]] == [second]
    api.delete(f"/api/annotations/{second}/")
    work()
    assert s3.get("data", key) is None and not ExportLink.objects.exists()


def test_the_prefix_may_name_the_project(create, work, s3, s3_settings, project, task, annotate):
    create("export/s3", s3_settings, prefix="by/${project_id}/now")
    pk = annotate(task)
    work()
    assert s3.keys("data", "by/") == [f"by/{project.pk}/now/{pk}"]


def test_bulk_and_imported_annotations_are_exported_too(create, work, api, s3, s3_settings, project, task):
    create("export/s3", s3_settings, prefix="out")
    work()
    assert api.post("/api/annotations/bulk/", {"tasks": [task.pk], "result": RESULT}).status_code == 201
    body = [{"data": {"image": "b"}, "annotations": [{"result": RESULT}, {"result": []}]}]
    assert api.post(f"/api/projects/{project.pk}/import", body).status_code == 201
    s3.put("data", "in/t.json", json.dumps(body).encode())
    source = create("s3", s3_settings, prefix="in")
    api.post(f"/api/storages/s3/{source['id']}/sync")
    work()
    work()
    made = Annotation.objects.values_list("id", flat=True)
    assert len(made) == 5 and set(s3.keys("data", "out/")) == {f"out/{pk}" for pk in made}


def test_the_connection_check_leaves_no_object_behind_and_a_scan_takes_none(create, sync, s3, s3_settings):
    target = create("export/s3", s3_settings)
    assert s3.keys("data") == []
    s3.put("data", ".quayside-probe", b"{}")  # left by credentials that may write and not delete
    assert sync("s3", create("s3", s3_settings, use_blob_urls=True)["id"])["last_sync_count"] == 0
    assert target["status"] == "queued"


def test_only_new_leaves_out_what_was_written_since_its_last_change(
    create, sync, api, work, s3, s3_settings, project, alice, task
):
    storage = create("export/s3", s3_settings)["id"]
    work()
    made = [Annotation.objects.create(task=task, project=project, result=RESULT, completed_by=alice).pk for _ in range(5)]
    assert sync("export/s3", storage)["last_sync_count"] == 5
    Annotation.objects.filter(pk=made[0]).update(updated_at=timezone.now())
    s3.requests.clear()
    assert api.post(f"/api/storages/export/s3/{storage}/sync?only_new=true").status_code == 200
    work()
    done = api.get(f"/api/storages/export/s3/{storage}").json()
    assert (done["status"], done["last_sync_count"], done["meta"]["total_annotations"]) == ("completed", 1, 1)
    assert [request.path for request in s3.requests if request.method == "PUT"] == [f"/data/{made[0]}"]
    assert api.post(f"/api/storages/export/s3/{storage}/sync?only_new=perhaps").status_code == 400


def test_a_target_deleted_while_its_outbox_is_full_leaves_nothing_behind(create, api, s3, s3_settings, project, alice, task):
    storage = create("export/s3", s3_settings)["id"]
    OutboxItem.objects.create(storage_id=storage, form="annotation", subject=1)
    assert api.delete(f"/api/storages/export/s3/{storage}").status_code == 204
    OutboxItem.objects.create(storage_id=storage, form="annotation", subject=2)  # recorded by a save that ran meanwhile
    jobs.tick()
    jobs.deliver_outbox(storage)
    assert not OutboxItem.objects.exists()


def test_a_cancelled_sync_writes_nothing_more(create, work, api, s3, s3_settings, project, alice, task, monkeypatch):
    storage = create("export/s3", s3_settings)["id"]
    work()
    for _ in range(150):
        Annotation.objects.create(task=task, project=project, result=RESULT, completed_by=alice)
    original = deliver.deliver_chunk

    def cancelling(*args, **options):
        done = original(*args, **options)
        assert api.post(f"/api/storages/export/s3/{storage}/cancel").json()["state"] == "cancelled"
        return done

    with monkeypatch.context() as patched:
        patched.setattr(deliver, "deliver_chunk", cancelling)
        patched.setattr(courier, "FIRST", 64)
        api.post(f"/api/storages/export/s3/{storage}/sync")
        work()
    jobs.tick()
    work()
    assert len(s3.keys("data")) == 64 and not OutboxItem.objects.exists()
    told = api.get(f"/api/storages/export/s3/{storage}/runs").json()["results"][0]
    assert (told["state"], told["counters"]["new"], told["total"]) == ("cancelled", 64, 150), "what was written counts"


def fill(project, task, alice, count):
    for _ in range(count):
        Annotation.objects.create(task=task, project=project, result=RESULT, completed_by=alice)


def test_a_retry_writes_what_had_failed_and_nothing_else(
    create, sync, work, api, s3, s3_settings, project, alice, task, monkeypatch
):
    monkeypatch.setattr(outbox, "BACK_OFF", (0.1, 0.1, 3600))
    pk = create("export/s3", s3_settings)["id"]
    work()
    fill(project, task, alice, 5)
    s3.fail_next(9, status=403, code="AccessDenied", match="/data/[0-9]")
    assert sync("export/s3", pk)["status"] == "completed_with_errors"
    failed = 5 - len(s3.keys("data"))
    assert failed
    s3.heal()
    s3.requests.clear()
    told = api.post(f"/api/storages/export/s3/{pk}/retry").json()
    assert (told["kind"], told["state"]) == ("retry", "queued")
    work()
    told = api.get(f"/api/storages/export/s3/{pk}/runs/{told['id']}").json()
    assert (told["state"], told["total"], told["counters"]["new"]) == ("completed", failed, failed)
    assert len([one for one in s3.requests if one.method == "PUT"]) == failed and len(s3.keys("data")) == 5
    nothing = api.post(f"/api/storages/export/s3/{pk}/retry")
    assert nothing.status_code == 400


def test_only_new_writes_no_object_that_holds_the_same_already(create, sync, work, api, s3, s3_settings, project, alice, task):
    pk = create("export/s3", s3_settings)["id"]
    fill(project, task, alice, 3)
    assert sync("export/s3", pk)["last_sync_count"] == 3
    ExportLink.objects.update(exported_at=project.created_at)  # as if written before its last change
    changed = Annotation.objects.order_by("id").first()
    Annotation.objects.filter(pk=changed.pk).update(result=[], updated_at=timezone.now())
    s3.requests.clear()
    api.post(f"/api/storages/export/s3/{pk}/sync?only_new=true")
    work()
    assert [one.path for one in s3.requests if one.method == "PUT"] == [f"/data/{changed.pk}"]
    told = api.get(f"/api/storages/export/s3/{pk}/runs").json()["results"][0]
    assert (told["counters"]["new"], told["counters"]["existing"], told["counters"]["listed"]) == (1, 2, 3)
