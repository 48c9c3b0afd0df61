"""Runs of targets: what only_new leaves out, what a run that was ended says and leaves, retries, issues, and who may ask."""

import pytest
from django.utils import timezone

from storages import deliver, jobs, outbox, status
from storages.base import ExportStorage
from storages.links import OutboxItem
from storages.runs import ExportIssue, ExportRun, State
from tasks.models import Annotation, Task
from tests.storages.targets import RESULT
from tests.storages.test_api import envelope

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def made(project, alice, settings):
    """Three annotated tasks: the annotations."""
    settings.SYNC_ON_TARGET_STORAGE_CREATION = False
    tasks = [Task.objects.create(project=project, inner_id=n, data={"image": f"{n}"}) for n in range(3)]
    return [Annotation.objects.create(task=task, project=project, result=RESULT, completed_by=alice) for task in tasks]


@pytest.fixture
def path(made, create, s3_settings):
    return f"/api/storages/export/s3/{create('export/s3', s3_settings)['id']}"


@pytest.fixture
def ran(api, work, path):
    """``ran("sync?only_new=true")``: starts a run, lets the worker go; the run as it is then."""

    def post(what):
        answer = api.post(f"{path}/{what}")
        assert answer.status_code in (200, 201), answer.content
        work()
        return api.get(f"{path}/runs").json()["results"][0]

    return post


def puts(s3):
    found = sorted(one.path.rpartition("/")[2] for one in s3.requests if one.method == "PUT")
    s3.requests.clear()
    return [name for name in found if not name.startswith(".")]  # the probe of the connection check


@pytest.mark.parametrize("form", ["annotation", "task"])
def test_only_new_goes_by_what_the_object_would_hold(form, api, work, ran, path, made, s3):
    api.patch(path, {"object_form": form})
    name = (lambda one: str(one.pk)) if form == "annotation" else (lambda one: f"{one.task_id}.json")
    assert ran("sync?only_new=true")["counters"]["new"] == 3 and len(puts(s3)) == 3
    assert ran("sync?only_new=true")["total"] == 0 and puts(s3) == []
    first, second, third = made
    Annotation.objects.filter(pk=first.pk).update(lead_time=3.0, updated_at=timezone.now())  # behind the outbox's back
    Task.objects.filter(pk=second.task_id).update(data={"image": "new"}, updated_at=timezone.now())
    told = ran("sync?only_new=true")
    assert (puts(s3), told["total"]) == (sorted([name(first), name(second)]), 2)
    assert ran("sync?only_new=false")["counters"]["new"] == 3 and len(puts(s3)) == 3, "without it, all of them"
    assert ran("sync")["counters"]["new"] == 3 and len(puts(s3)) == 3
    api.patch(path, {"key_template": "x/{task_id}" + ("-{annotation_id}" if form == "annotation" else "")})
    assert ran("sync?only_new=true")["counters"]["new"] == 3 and len(puts(s3)) == 3, "other names"
    api.patch(path, {"key_template": "", "object_form": "task" if form == "annotation" else "annotation"})
    assert ran("sync?only_new=true")["counters"]["new"] == 3 and len(puts(s3)) == 3, "the other form"


def test_a_task_that_is_changed_over_the_api_is_written_anew_by_only_new(api, ran, path, made, s3):
    ran("sync")
    puts(s3)
    assert api.patch(f"/api/tasks/{made[1].task_id}/", {"data": {"image": "new"}}).status_code == 200
    ran("sync?only_new=true")
    assert puts(s3) == [str(made[1].pk)]


@pytest.mark.parametrize("again", ["sync?only_new=true", "sync"])
def test_an_annotation_that_is_saved_again_as_it_was_is_existing_for_only_new(again, ran, path, made, s3):
    ran("sync")
    puts(s3)
    ExportStorage.objects.get().links.update(exported_at="2020-01-01T00:00Z")
    told = ran(again)["counters"]
    new = 3 if again == "sync" else 0
    assert (told["new"], told["existing"], told["listed"], len(puts(s3))) == (new, 3 - new, 3, new)


@pytest.mark.parametrize(
    ("value", "only_new"),
    [
        ("true", True),
        ("True", True),
        ("1", True),
        ("false", False),
        ("False", False),
        ("0", False),
        ("perhaps", None),
        ("2", None),
    ],
)
def test_only_new_is_read_like_every_flag_or_refused(value, only_new, api, path):
    answer = api.post(f"{path}/sync?only_new={value}")
    if only_new is None:
        assert list(envelope(answer, 400)["validation_errors"]) == ["only_new"] and not ExportRun.objects.exists()
    else:
        assert answer.status_code == 200 and ExportRun.objects.get().only_new is only_new


@pytest.mark.parametrize(
    ("kind", "cancelled", "lost"),
    [
        (
            "sync",
            ["what had been written stays", "by the next sync"],
            ["worker of this sync died", "the rest is written by itself"],
        ),
        ("snapshot", ["no manifest", "start another"], ["worker of this snapshot died", "no manifest", "start another"]),
        ("retry", ["tried again by itself", "another retry"], ["worker of this retry died", "tried again by itself"]),
    ],
)
def test_a_run_that_was_ended_says_what_is_true_of_its_kind(kind, cancelled, lost, api, path):
    target = ExportStorage.objects.get()
    first = status.begin(target, user=None, trigger="api", kind=kind)
    told = api.post(f"{path}/runs/{first.pk}/cancel").json()["error"]
    assert told["code"] == "cancelled" and told["message"].startswith("cancelled by alice@")
    assert [part for part in cancelled if part not in told["message"]] == [] and ("sync" in told["message"]) == (kind == "sync")
    second = status.begin(target, user=None, trigger="api", kind=kind)
    ExportRun.objects.filter(pk=second.pk).update(state=State.IN_PROGRESS, heartbeat="2020-01-01T00:00Z", total=0)
    assert status.reap(ExportRun.objects) == 1
    told = api.get(f"{path}/runs/{second.pk}").json()["error"]
    assert told["code"] == "worker_lost" and [part for part in lost if part not in told["message"]] == []


def test_a_sync_that_killed_its_workers_for_an_hour_before_it_began_fails(api, path):
    run = status.begin(ExportStorage.objects.get(), user=None, trigger="api")
    dead = {"state": State.IN_PROGRESS, "heartbeat": "2020-01-01T00:00Z"}
    ExportRun.objects.filter(pk=run.pk).update(**dead)
    assert status.reap(ExportRun.objects) == 1 and ExportRun.objects.get(pk=run.pk).state == State.QUEUED
    ExportRun.objects.filter(pk=run.pk).update(**dead, queued_at="2020-01-01T00:00Z")
    assert status.reap(ExportRun.objects) == 1
    told = api.get(f"{path}/runs/{run.pk}").json()["error"]
    assert told["code"] == "worker_lost" and "start the sync again" in told["message"]


def test_the_rest_of_a_cancelled_sync_comes_with_the_next_one_and_changes_come_at_once(
    api, ran, work, path, made, s3, monkeypatch
):
    original, orders = deliver.deliver_chunk, ["cancel"]

    def cancelling(*args, **options):
        done = original(*args, **options)
        while orders:
            assert api.post(f"{path}/{orders.pop()}").status_code == 200
        return done

    monkeypatch.setattr(outbox, "CHUNK", 1)
    monkeypatch.setattr(deliver, "deliver_chunk", cancelling)
    told = ran("sync")
    assert (told["state"], told["counters"]["new"], told["total"]) == ("cancelled", 1, 3) and len(puts(s3)) == 1
    jobs.tick()
    work()
    assert puts(s3) == [] and not OutboxItem.objects.exists(), "nothing more by itself"
    assert api.patch(f"/api/annotations/{made[2].pk}/", {"lead_time": 1.0}).status_code == 200
    work()
    assert puts(s3) == [str(made[2].pk)], "but what is changed"
    told = ran("sync?only_new=true")
    assert (told["state"], told["counters"]["new"]) == ("completed", 1) and puts(s3) == [str(made[1].pk)]


@pytest.fixture
def broken(api, ran, path, made, s3):
    """A target that refused two of three objects."""
    s3.fail_next(99, status=403, code="AccessDenied", match=f"/data/({made[0].pk}|{made[1].pk})$")
    assert ran("sync")["state"] == "completed_with_errors"
    s3.heal()
    return path


def test_cancelling_a_retry_loses_nothing(api, ran, work, broken, s3):
    assert api.post(f"{broken}/retry").json()["kind"] == "retry"
    run = ExportRun.objects.latest("id")
    status.expect(run, outbox.record_failed(run))  # as its worker begins
    assert api.post(f"{broken}/cancel").json()["state"] == "cancelled"
    assert OutboxItem.objects.count() == 2
    jobs.tick()
    work()
    assert len(s3.keys("data")) == 3 and not OutboxItem.objects.exists(), "it comes by itself"
    told = api.get(f"{broken}/runs/{run.pk}").json()
    assert (told["state"], told["counters"]["new"]) == ("cancelled", 0), "and changes nothing that was told"


def test_issues_of_a_target_are_paged_and_filtered(api, broken):
    run = api.get(f"{broken}/runs").json()["results"][0]
    assert (run["counters"]["failed"], run["counters"]["new"], run["total"]) == (2, 1, 3)
    first = api.get(run["issues_url"], {"page_size": 1}).json()
    (second,) = api.get(first["next"]).json()["results"]
    assert first["count"] == 2 and first["results"][0]["id"] < second["id"] and second["row"] is None
    assert api.get(run["issues_url"], {"code": "no_permission"}).json()["count"] == 2
    assert api.get(run["issues_url"], {"code": "collision"}).json()["count"] == 0
    envelope(api.get(run["issues_url"], {"page": 3}), 404)


@pytest.mark.parametrize("level", ["storage", "run"])
def test_a_retry_is_answered_by_the_run_that_is_under_way_and_refused_when_nothing_failed(level, api, ran, work, broken, s3):
    way = f"{broken}/retry" if level == "storage" else f"{broken}/runs/{ExportRun.objects.latest('id').pk}/retry"
    first = api.post(way).json()
    s3.refuse_all()  # nothing is asked for
    assert api.post(way).json()["id"] == first["id"] and ExportRun.objects.filter(kind="retry").count() == 1
    s3.heal()
    work()
    assert (
        api.get(f"{broken}/runs/{first['id']}").json()["counters"] | {"new": 2, "failed": 0}
        == (api.get(f"{broken}/runs/{first['id']}").json()["counters"])
    )
    assert "has failed" in str(envelope(api.post(way), 400))
    api.patch(broken, {"synchronizable": False})
    assert api.post(way).status_code == 400
    assert ExportIssue.objects.count() == 2, "those of the first run are its story"


def test_a_stranger_cannot_retry_or_look_and_nothing_is_tried(stranger, broken):
    run = ExportRun.objects.latest("id").pk
    for tail in ("retry", f"runs/{run}/retry", f"runs/{run}/cancel", "snapshot", "sync"):
        envelope(stranger.post(f"{broken}/{tail}"), 404)
    for tail in ("runs", f"runs/{run}", f"runs/{run}/issues"):
        envelope(stranger.get(f"{broken}/{tail}"), 404)
    assert ExportRun.objects.count() == 1


def test_a_snapshot_counts_tasks_where_a_sync_counts_annotations(api, ran, path):
    assert ran("sync")["snapshot"] is None
    assert api.get(path).json()["meta"]["total_annotations"] == 3
    told = ran("snapshot")
    assert (told["kind"], told["total"], told["snapshot"]["format"]) == ("snapshot", 3, "jsonl")
    assert told["snapshot"]["folder"].startswith("snapshots/")
    meta = api.get(path).json()["meta"]
    assert meta["total_tasks"] == 3 and "total_annotations" not in meta
