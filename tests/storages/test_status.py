"""A run has one owner at a time: second starts, second workers, dead workers and late workers change nothing twice."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from storages import jobs, status
from storages.base import ImportStorage
from storages.client import ObjectInfo
from storages.links import ImportLink
from storages.runs import ImportIssue, ImportRun, State
from storages.store import BatchStore
from storages.sync.engine import Batch, Draft, Finding
from tasks.drafts import TaskDraft
from tasks.models import Task

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def storage(create, s3, s3_settings):
    for number in range(3):
        s3.put("data", f"{number}.png", b"x")
    return ImportStorage.objects.get(pk=create("s3", s3_settings, use_blob_urls=True)["id"])


@pytest.fixture
def held(storage):
    """A run in progress and its lease."""
    run = status.begin(storage, user=None, trigger="api")
    return run, status.acquire(run)


def at_once(count, call):
    """The results of ``count`` threads that start ``call`` at the same moment."""
    results, barrier = [], threading.Barrier(count)

    def act():
        barrier.wait()
        try:
            results.append(call())
        finally:
            connection.close()

    threads = [threading.Thread(target=act) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(results) == count
    return results


def age(run, seconds):
    """Moves the run's last sign of life, and the time it was queued, into the past."""
    then = timezone.now() - timedelta(seconds=seconds)
    ImportRun.objects.filter(pk=run.pk).update(heartbeat=then, queued_at=then)


def test_of_starts_at_the_same_moment_one_wins(storage):
    for attempt in range(1, 4):
        runs = at_once(4, lambda: status.begin(ImportStorage.objects.get(pk=storage.pk), user=None, trigger="api"))
        [run] = [run for run in runs if run]
        assert ImportRun.objects.filter(storage=storage).count() == attempt
        assert ImportStorage.objects.get(pk=storage.pk).run == run
        assert status.fail(run, code="x", message="x")


def test_of_workers_at_the_same_moment_one_gets_the_lease(storage):
    run = status.begin(storage, user=None, trigger="api")

    def acquire():
        try:
            return status.acquire(run)
        except status.LeaseLost:
            return None

    assert len([lease for lease in at_once(4, acquire) if lease]) == 1


def test_nothing_starts_while_a_run_is_queued_or_in_progress(storage, api):
    first = api.post(f"/api/storages/s3/{storage.pk}/sync").json()
    assert jobs.start_import(storage) is None
    run = ImportRun.objects.get()
    status.acquire(run)
    assert jobs.start_import(storage) is None
    again = api.post(f"/api/storages/s3/{storage.pk}/sync").json()
    assert (again["status"], again["last_sync_job"]) == ("in_progress", first["last_sync_job"])
    assert ImportRun.objects.count() == 1


def test_a_lease_is_given_once_and_only_its_holder_may_act(held):
    run, lease = held
    with pytest.raises(status.LeaseLost):
        status.acquire(run)
    for act in (status.beat, status.advance, status.complete):
        with pytest.raises(status.LeaseLost):
            act(run, "somebody else's")
    assert not status.fail(run, code="x", message="x", lease="somebody else's")
    status.complete(run, lease)
    run.refresh_from_db()
    assert run.state == State.COMPLETED


@pytest.mark.parametrize("end", ["reaper", "failed", "completed", "storage deleted"])
def test_a_batch_of_a_run_that_ended_is_not_stored(held, storage, end):
    run, lease = held
    store = BatchStore(run, lease, whole_objects=True)
    draft = Draft(ObjectInfo("a.png", 1, None), 0, 0, TaskDraft({"image": "s3://data/a.png"}))
    if end == "reaper":
        age(run, status.DEAD_AFTER + 1)
        assert status.reap(ImportRun.objects) == 1
    elif end == "failed":
        status.fail(run, code="x", message="x")
    elif end == "completed":
        status.complete(run, lease)
    else:
        storage.delete()
    with pytest.raises(status.LeaseLost):
        store.save(Batch(drafts=[draft], findings=[Finding("b", None, "row", "bad")], listed=1, cursor="a.png"))
    with pytest.raises(status.LeaseLost):
        status.complete(run, lease)
    assert (Task.objects.count(), ImportLink.objects.count(), ImportIssue.objects.count()) == (0, 0, 0)
    assert not ImportRun.objects.filter(pk=run.pk).exclude(cursor="", listed=0).exists()


def test_the_reaper_ends_silent_runs_only(held):
    run, lease = held
    age(run, status.DEAD_AFTER - 5)
    assert status.reap(ImportRun.objects) == 0
    age(run, status.DEAD_AFTER + 5)
    status.beat(run, lease)
    assert status.reap(ImportRun.objects) == 0
    age(run, status.DEAD_AFTER + 5)
    assert status.reap(ImportRun.objects) == 1
    run.refresh_from_db()
    assert (run.state, run.error_code) == ("failed", "worker_lost") and "start the sync again" in run.error


def test_a_run_whose_job_was_lost_is_queued_again_and_done_once(storage, api, work, tick):
    api.post(f"/api/storages/s3/{storage.pk}/sync")
    import django_rq

    django_rq.get_connection("default").flushdb()
    tick()
    assert ImportRun.objects.get().state == "queued", "it is too young to be called lost"
    age(ImportRun.objects.get(), status.DEAD_AFTER + 1)
    tick()
    assert ImportRun.objects.get().state == "completed" and Task.objects.count() == 3


def test_a_job_that_is_delivered_twice_creates_nothing_twice(storage):
    run = status.begin(storage, user=None, trigger="api")
    at_once(2, lambda: jobs.run_import(run.pk))
    jobs.run_import(run.pk)
    run.refresh_from_db()
    assert (run.state, run.created, Task.objects.count()) == ("completed", 3, 3)


def test_a_slow_patch_does_not_undo_the_start_of_a_sync(storage, api, s3):
    """The connection check of a PATCH takes time; what happened to the row meanwhile stays."""
    s3.delay(1.0, n=1)
    patch = threading.Thread(target=lambda: (api.patch(f"/api/storages/s3/{storage.pk}", {"title": "New"}), connection.close()))
    patch.start()
    time.sleep(0.4)
    run = status.begin(storage, user=None, trigger="api")
    patch.join(timeout=30)
    stored = ImportStorage.objects.get(pk=storage.pk)
    assert (stored.title, stored.run) == ("New", run)


def test_a_patch_of_a_storage_deleted_meanwhile_does_not_bring_it_back(storage, api, s3):
    s3.delay(1.0, n=1)
    answers = []
    call = lambda: (answers.append(api.patch(f"/api/storages/s3/{storage.pk}", {"title": "New"})), connection.close())  # noqa: E731
    patch = threading.Thread(target=call)
    patch.start()
    time.sleep(0.4)
    ImportStorage.objects.get(pk=storage.pk).delete()
    patch.join(timeout=30)
    assert answers[0].status_code == 404 and not ImportStorage.objects.exists()


def test_a_dead_run_is_told_and_the_next_sync_goes_on_where_it_ended(create, sync, api, s3, s3_settings, work, tick, monkeypatch):
    """What a worker leaves that vanished between two batches."""
    for number in range(2500):
        s3.put("data", f"{number:04}.png", b"x")
    pk = create("s3", s3_settings, use_blob_urls=True)["id"]
    run = status.begin(ImportStorage.objects.get(pk=pk), user=None, trigger="api")
    monkeypatch.setattr("storages.sync.engine.BATCH_ROWS", 1000)
    save = BatchStore.save

    def vanish(store, batch):
        save(store, batch)
        raise SystemExit  # passes every handler, as a kill does

    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr(BatchStore, "save", vanish)
        jobs.run_import(run.pk)
    tick()
    assert api.get(f"/api/storages/s3/{pk}").json()["status"] == "in_progress", "its last sign of life is recent"
    age(run, status.DEAD_AFTER + 1)
    tick()
    dead = api.get(f"/api/storages/s3/{pk}").json()
    assert (dead["status"], dead["last_sync"]) == ("failed", None) and "worker of this sync died" in dead["traceback"]
    done = sync("s3", pk)
    assert (done["status"], done["last_sync_count"], done["meta"]["tasks_existed"]) == ("completed", 1500, 1000)
    names = {task.data["image"] for task in Task.objects.all()}
    assert len(names) == Task.objects.count() == ImportLink.objects.count() == 2500
