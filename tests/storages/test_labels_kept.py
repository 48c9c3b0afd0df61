"""No label is lost, written twice or put into the wrong place when settings, runs and saves cross each other."""

import json
import random
import threading
import time
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from storages import courier, jobs, outbox, recording, status
from storages.base import ExportStorage
from storages.links import ExportLink, OutboxItem
from storages.runs import ExportRun, State
from tasks.models import Annotation, Task
from tasks.writing import annotate as save_annotation
from tests.fakes.s3 import S3Fake
from tests.storages.targets import RESULT, time_passes
from tests.storages.targets import annotate as annotate  # noqa: F401 - the fixture
from tests.storages.targets import task as task  # noqa: F401 - the fixture

pytestmark = pytest.mark.django_db(transaction=True)


def objects(s3: S3Fake, bucket: str = "data") -> set[str]:
    return {key for key in s3.keys(bucket) if not key.startswith(".")}


def many(task, alice, number):
    rows = (Annotation(task=task, project_id=task.project_id, result=RESULT, completed_by=alice) for _ in range(number))
    return [one.pk for one in Annotation.objects.bulk_create(rows)]


def in_thread(act):
    def run():
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize(("before", "after", "keys"), [("annotation", "task", "{task}.json"), ("task", "annotation", "{pk}")])
def test_what_waits_when_the_form_changes_is_written_in_the_new_one(
    create, work, tick, api, s3, s3_settings, task, annotate, before, after, keys
):
    pk = create("export/s3", s3_settings, object_form=before)["id"]
    work()
    s3.refuse_all()
    made = annotate(task)
    work()
    s3.heal()
    assert api.patch(f"/api/storages/export/s3/{pk}", {"object_form": after}).status_code == 200
    time_passes()
    tick()
    assert objects(s3) == {keys.format(task=task.pk, pk=made)} and not OutboxItem.objects.exists()


@pytest.mark.parametrize("change", ["new target", "other form and a sync"])
def test_a_save_that_is_open_while_a_target_is_made_or_changed_reaches_it(
    create, work, api, s3, s3_settings, task, alice, change
):
    if change != "new target":
        pk = create("export/s3", s3_settings)["id"]
        work()
    noted, commit = threading.Event(), threading.Event()

    def save():
        with transaction.atomic():
            save_annotation(task, alice.pk, {"result": RESULT, "completed_by_id": alice.pk})
            noted.set()
            commit.wait(20)

    def change_and_sync():  # on SQLite, which has one writer, all this waits for the save
        if change == "new target":
            create("export/s3", s3_settings)
        else:
            api.patch(f"/api/storages/export/s3/{pk}", {"object_form": "task"})
            api.post(f"/api/storages/export/s3/{pk}/sync")
        jobs.run_export(ExportRun.objects.get(state=State.QUEUED).pk)

    user = in_thread(save)
    noted.wait(5)
    worker = in_thread(change_and_sync)
    time.sleep(1)
    assert objects(s3) == set()
    commit.set()
    user.join()
    worker.join()
    work()
    assert len(objects(s3)) == 1 and not OutboxItem.objects.exists()


def test_settings_changed_while_an_object_is_on_its_way_put_it_where_they_say(create, work, api, s3, s3_settings, task, annotate):
    s3.create_bucket("other")
    pk = create("export/s3", s3_settings, can_delete_objects=True)["id"]
    work()
    made = str(annotate(task))
    s3.delay(1.0, match=f"/data/{made}$", n=1)
    worker = in_thread(lambda: jobs.deliver_outbox(pk))
    time.sleep(0.4)
    assert api.patch(f"/api/storages/export/s3/{pk}", {"bucket": "other"}).status_code == 200
    worker.join()
    work()
    assert objects(s3, "other") == {made} and not OutboxItem.objects.exists()
    api.delete(f"/api/annotations/{made}/")
    work()
    assert objects(s3, "other") == set() and objects(s3) == {made}, "what it wrote to the former place stays there"


def test_a_run_does_not_forget_what_another_worker_failed_with(create, work, s3, s3_settings, alice, task):
    pk = create("export/s3", s3_settings)["id"]
    work()
    made = many(task, alice, 20)
    run = jobs.start_export(ExportStorage.objects.get(pk=pk))
    lease = status.acquire(run)
    recording.record_all(run, lease)
    s3.fail_next(10**6, status=403, code="ExpiredToken", match=f"/data/({'|'.join(map(str, made[:8]))})$")
    jobs.deliver_outbox(pk)  # somebody else comes first, and is refused
    assert OutboxItem.objects.filter(run=run).count() == 20, "the run still waits for all of them"
    ExportRun.objects.filter(pk=run.pk).update(state=State.QUEUED)
    time_passes()
    jobs.run_export(run.pk)
    run.refresh_from_db()
    assert (run.state, run.error_code) == (State.FAILED, "bad_credentials") and run.created < 20


@pytest.mark.parametrize("form", ["annotation", "task"])
def test_only_new_sees_whatever_changed_in_an_object(create, work, api, s3, s3_settings, task, annotate, form):
    pk = create("export/s3", s3_settings, object_form=form)["id"]
    work()
    first, second = annotate(task), annotate(task)
    work()

    def only_new():
        before = {key: s3.get("data", key) for key in objects(s3)}
        api.post(f"/api/storages/export/s3/{pk}/sync?only_new=true")
        work()
        return {key for key in objects(s3) if s3.get("data", key) != before[key]}

    assert only_new() == set()
    api.delete(f"/api/annotations/{second}/")
    work()
    api.post("/api/predictions/", {"task": task.pk, "result": RESULT, "score": 0.5})
    assert str(first) in only_new() or form == "task"
    assert only_new() == set()
    api.patch(f"/api/projects/{task.project_id}/", {"maximum_annotations": 7})
    work()
    held = json.loads(s3.get("data", f"{task.pk}.json" if form == "task" else str(first)))
    only_new()
    api.post(f"/api/storages/export/s3/{pk}/sync")
    work()
    assert held is not None and only_new() == set()


def test_an_edit_during_a_sync_is_counted_once(create, work, api, s3, s3_settings, task, annotate):
    pk = create("export/s3", s3_settings)["id"]
    work()
    made = [annotate(task) for _ in range(3)]
    work()
    s3.delay(0.5, match=f"/data/{made[0]}$", n=1)
    run = jobs.start_export(ExportStorage.objects.get(pk=pk))
    worker = in_thread(lambda: jobs.run_export(run.pk))
    for number in range(6):
        time.sleep(0.15)
        api.patch(f"/api/annotations/{made[0]}/", {"lead_time": number})
    worker.join()
    work()
    run.refresh_from_db()
    assert (run.total, run.created, run.state) == (3, 3, State.COMPLETED) and run.requests >= 3 and run.bytes > 0
    assert json.loads(s3.get("data", str(made[0])))["lead_time"] == 5


def test_a_sync_whose_worker_died_while_it_began_is_gone_on_with(create, work, tick, s3, s3_settings, alice, task, monkeypatch):
    made = many(task, alice, 25)
    pk = create("export/s3", s3_settings)["id"]
    monkeypatch.setattr(recording, "SLICE", 10)
    run = ExportRun.objects.get(storage_id=pk)
    lease = status.acquire(run)
    original, calls = recording._record, []

    def dying(*args):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*args)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(recording, "_record", dying)
        recording.record_all(run, lease)
    long_ago = run.heartbeat - 10 * status.timedelta(seconds=status.DEAD_AFTER)
    ExportRun.objects.update(heartbeat=long_ago, queued_at=long_ago)
    tick()
    run.refresh_from_db()
    assert (run.state, run.total, run.created) == (State.COMPLETED, 25, 25)
    assert objects(s3) == {str(number) for number in made}


def test_names_stay_when_what_they_were_made_of_is_gone(create, sync, work, api, s3, s3_settings, annotate):
    s3.put("data", "in/a/img1.jpg", b"x")
    source = create("s3", s3_settings | {"prefix": "in"}, use_blob_urls=True, recursive_scan=True)["id"]
    sync("s3", source)
    create("export/s3", s3_settings, prefix="out", key_template="{storage_filename}-{annotation_id}.json")
    work()
    made = annotate(Task.objects.get())
    work()
    api.delete(f"/api/storages/s3/{source}")
    api.patch(f"/api/annotations/{made}/", {"lead_time": 9})
    work()
    written = {key for key in objects(s3) if key.startswith("out/")}
    assert written == {f"out/a/img1-{made}.json"}
    assert json.loads(s3.get("data", written.pop()))["lead_time"] == 9


def test_a_sync_that_is_cancelled_amid_a_move_still_ends_the_move(create, work, tick, api, s3, s3_settings, task, annotate):
    pk = create("export/s3", s3_settings, can_delete_objects=True)["id"]
    work()
    made = str(annotate(task))
    work()
    api.patch(f"/api/storages/export/s3/{pk}", {"prefix": "new"})
    s3.fail_next(99, status=503, code="ServiceUnavailable", match=f"/data/{made}$")  # the old object cannot be deleted now
    run = jobs.start_export(ExportStorage.objects.get(pk=pk))
    worker = in_thread(lambda: jobs.run_export(run.pk))
    while not OutboxItem.objects.filter(attempts__gt=0, claim="").exists():
        time.sleep(0.02)
    api.post(f"/api/storages/export/s3/{pk}/cancel")
    worker.join()
    s3.heal()
    time_passes()
    tick()
    assert objects(s3) == {f"new/{made}"} and not OutboxItem.objects.exists()


def test_a_deleted_projects_objects_of_a_former_form_go_too(create, work, tick, api, s3, s3_settings, task, annotate):
    pk = create("export/s3", s3_settings, can_delete_objects=True)["id"]
    work()
    annotate(task)
    work()
    api.patch(f"/api/storages/export/s3/{pk}", {"object_form": "task"})
    api.post(f"/api/storages/export/s3/{pk}/sync")
    work()
    assert len(objects(s3)) == 2
    api.delete(f"/api/projects/{task.project_id}/")
    work()
    tick()
    assert objects(s3) == set() and not ExportStorage.objects.exists() and not ExportLink.objects.exists()


def test_a_target_that_rests_is_tried_at_once_with_other_settings(create, work, tick, s3, s3_settings, annotate, task, api):
    pk = create("export/s3", s3_settings)["id"]
    work()
    s3.refuse_all()
    annotate(task)
    work()
    s3.heal()
    OutboxItem.objects.update(due=timezone.now())
    ExportStorage.objects.filter(rests=1).update(resting_until=timezone.now() + timedelta(hours=1))
    tick()
    assert objects(s3) == set()
    assert api.patch(f"/api/storages/export/s3/{pk}", {"title": "Mended"}).status_code == 200
    tick()
    assert len(objects(s3)) == 1


def test_a_target_that_is_away_rests_and_does_not_keep_the_worker(create, work, tick, s3, s3_settings, alice, task):
    pk = create("export/s3", s3_settings)["id"]
    work()
    outbox.record(task.project_id, [(number, task.pk) for number in many(task, alice, 300)])
    s3.refuse_all()
    before = len(s3.requests)
    jobs.deliver_outbox(pk)
    assert len(s3.requests) - before <= courier.FIRST * 10, "one small chunk, with the retries of its requests"
    target = ExportStorage.objects.get(pk=pk)
    assert target.rests == 1 and pk not in outbox.waiting_targets()
    assert outbox.record(task.project_id, [(1, task.pk)]) == [], "no save asks the workers for it"
    jobs.deliver_outbox(pk)  # asked for before
    assert len(s3.requests) - before <= courier.FIRST * 10
    s3.heal()
    time_passes()
    tick()
    target.refresh_from_db()
    assert (target.rests, target.resting_until) == (0, None) and len(objects(s3)) == 300


def test_a_run_gives_up_a_target_that_is_away_instead_of_trying_all(
    create, work, tick, s3, s3_settings, alice, task, monkeypatch
):
    monkeypatch.setattr(outbox, "BACK_OFF", (0.1,))
    pk = create("export/s3", s3_settings)["id"]
    work()
    many(task, alice, 300)
    s3.refuse_all()
    run = jobs.start_export(ExportStorage.objects.get(pk=pk))
    jobs.run_export(run.pk)
    run.refresh_from_db()
    assert (run.state, run.error_code) == (State.FAILED, "unreachable") and not OutboxItem.objects.filter(run=run).exists()
    s3.heal()
    time_passes()
    tick()
    assert len(objects(s3)) == 300, "all is delivered by itself"


@pytest.mark.parametrize("what", ["renew", "postpone", "settle"])
def test_saves_and_workers_never_wait_for_each_other_in_a_circle(create, work, s3_settings, task, what, monkeypatch):
    monkeypatch.setattr(outbox, "BACK_OFF", (0,))
    target = ExportStorage.objects.get(pk=create("export/s3", s3_settings)["id"])
    work()
    subjects = list(range(1, 301))
    random.Random(1).shuffle(subjects)
    OutboxItem.objects.bulk_create(OutboxItem(storage=target, form="annotation", subject=number) for number in subjects)
    items = outbox.claim(target, "worker", 300) if what == "renew" else []
    end, deadlocks = time.monotonic() + 3, []

    def until_the_end(act):
        try:
            while time.monotonic() < end and not deadlocks:
                act()
        except OperationalError as error:
            deadlocks.append(str(error))

    def save():
        with transaction.atomic():
            outbox.record(task.project_id, [(number, task.pk) for number in range(1, 301)])

    def as_worker():
        if what == "renew":
            return outbox.renew("worker")
        claimed = outbox.claim(target, "worker", 300)
        return (outbox.settle if what == "settle" else outbox.postpone)(claimed)

    threads = [in_thread(lambda act=act: until_the_end(act)) for act in (save, as_worker)]
    for thread in threads:
        thread.join()
    assert deadlocks == [] and (items or True)
