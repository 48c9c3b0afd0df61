"""A run has one owner at a time: second starts, second workers, dead workers and late workers change nothing twice."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from storages import importing, jobs, shards, status
from storages.base import ImportStorage
from storages.client import ObjectInfo
from storages.links import ImportLink
from storages.runs import ImportIssue, ImportRun, State
from storages.shards import Shard
from storages.store import BatchStore
from storages.sync.batch import Batch, Draft, Finding
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
    """A piece of a run that is in progress."""
    return taken(importing.begin(storage, None, "api"))


def taken(run):
    shard = shards.take(run, 4)
    shard.run = run
    return shard


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


def age(row, seconds):
    """Moves the last sign of life of a run or a piece, and the time a run was queued, into the past."""
    then = timezone.now() - timedelta(seconds=seconds)
    also = {"queued_at": then} if isinstance(row, ImportRun) else {}
    type(row).objects.filter(pk=row.pk).update(heartbeat=then, **also)


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


def test_a_lease_is_given_once_and_only_its_holder_may_act(storage):
    run = status.begin(storage, user=None, trigger="api")
    lease = status.acquire(run)
    with pytest.raises(status.LeaseLost):
        status.acquire(run)
    for act in (status.beat, status.advance, status.complete):
        with pytest.raises(status.LeaseLost):
            act(run, "somebody else's")
    assert not status.fail(run, code="x", message="x", lease="somebody else's")
    status.complete(run, lease)
    run.refresh_from_db()
    assert run.state == State.COMPLETED


@pytest.mark.parametrize("end", ["given to another", "failed", "completed", "cancelled", "storage deleted"])
def test_a_batch_of_a_piece_that_was_taken_away_is_not_stored(held, storage, end):
    run, store = held.run, BatchStore(held, storage.concrete().client())
    draft = Draft(ObjectInfo("a.png", 1, None), b"a", 0, 0, TaskDraft({"image": "s3://data/a.png"}))
    if end == "given to another":
        age(held, status.DEAD_AFTER + 1)
        assert shards.release_dead() == [run]
        taken(run)
    elif end == "failed":
        status.fail(run, code="x", message="x")
    elif end == "completed":
        status.complete(run)
    elif end == "cancelled":
        assert status.cancel(run, None)
    else:
        storage.delete()
    with pytest.raises(status.LeaseLost):
        store.save(Batch(drafts=[draft], findings=[Finding("b", None, "row", "bad")], listed=1, settled=1, cursor="a.png"))
    with pytest.raises(status.LeaseLost):
        shards.beat(held)
    assert (Task.objects.count(), ImportLink.objects.count(), ImportIssue.objects.count()) == (0, 0, 0)
    assert not ImportRun.objects.filter(pk=run.pk).exclude(listed=0).exists()
    assert not Shard.objects.exclude(cursor="", listed=0).exists()


def test_a_piece_of_a_silent_worker_only_is_given_to_another(held):
    age(held, status.DEAD_AFTER - 5)
    assert shards.release_dead() == [] and shards.take(held.run, 4) is None
    age(held, status.DEAD_AFTER + 5)
    shards.beat(held)
    assert shards.release_dead() == []
    age(held, status.DEAD_AFTER + 5)
    assert shards.release_dead() == [held.run]
    assert shards.take(held.run, 4).pk == held.pk


def test_a_piece_that_kills_one_worker_after_the_other_ends_the_run(held):
    for _ in range(shards.MOST_DEATHS):
        age(Shard.objects.get(), status.DEAD_AFTER + 5)
        shards.release_dead()
        taken(held.run)
    age(Shard.objects.get(), status.DEAD_AFTER + 5)
    shards.release_dead()
    run = ImportRun.objects.get()
    assert (run.state, run.error_code) == ("failed", "worker_lost") and "4 workers died" in run.error


def test_no_more_workers_than_the_storage_allows_take_pieces(held):
    Shard.objects.bulk_create(Shard(run=held.run, low=name, high=name) for name in "abcdef")
    assert [shards.take(held.run, 3) is not None for _ in range(3)] == [True, True, False]


def test_a_stage_begins_when_all_pieces_before_it_are_done(held):
    Shard.objects.create(run=held.run, stage=shards.Stage.SWEEP)
    assert shards.take(held.run, 4) is None
    shards.finish(held)
    assert shards.take(held.run, 4).stage == shards.Stage.SWEEP


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
    run = importing.begin(storage, None, "api")
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


def test_another_worker_goes_on_where_one_died(create, api, s3, s3_settings, tick, monkeypatch):
    """What a worker leaves that vanished between two batches."""
    for number in range(2500):
        s3.put("data", f"{number:04}.png", b"x")
    pk = create("s3", s3_settings, use_blob_urls=True)["id"]
    run = importing.begin(ImportStorage.objects.get(pk=pk), None, "api")
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
    age(Shard.objects.get(), status.DEAD_AFTER + 1)
    s3.requests.clear()
    tick()
    done = api.get(f"/api/storages/s3/{pk}").json()
    assert (done["status"], done["last_sync_count"], done["meta"]["tasks_existed"]) == ("completed", 2500, 0)
    asked = [request.query for request in s3.requests]
    assert any("start-after=0999.png" in query for query in asked), "it lists on behind the last committed page"
    names = {task.data["image"] for task in Task.objects.all()}
    assert len(names) == Task.objects.count() == ImportLink.objects.count() == 2500
