"""What was stopped goes on where it stopped: runs that were cancelled, files that were half read, databases that went away."""

import threading
import time

import pytest
from django.db import OperationalError, connection

from storages import importing, jobs, shards, status
from storages.base import ImportStorage
from storages.links import ImportLink, ObjectState
from storages.runs import ImportIssue, ImportRun
from storages.shards import Shard
from storages.store import BatchStore
from tasks.models import Task

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def images(s3, s3_settings, create):
    """A storage over 3,500 images: four pages."""
    for number in range(3500):
        s3.put("data", f"{number:04}.png", b"x")
    return ImportStorage.objects.get(pk=create("s3", s3_settings, use_blob_urls=True)["id"])


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr("storages.sync.engine.BATCH_ROWS", 1000)


def stop_after(monkeypatch, batches, act):
    """``act`` happens when the so many-th batch was saved."""
    save, count = BatchStore.save, iter(range(1, 10_000))

    def counting(store, batch):
        save(store, batch)
        if next(count) == batches:
            act(store)

    monkeypatch.setattr(BatchStore, "save", counting)


def listings(s3):
    return [request.query for request in s3.requests if "list-type" in request.query and "max-keys=1000" in request.query]


def test_a_cancelled_run_stops_at_once_and_the_next_one_begins_where_it_stopped(images, s3, monkeypatch, small_batches):
    run = importing.begin(images, None, "api")
    with monkeypatch.context() as patched:
        stop_after(patched, 2, lambda store: status.cancel(store.run, None))
        jobs.run_import(run.pk)
    run.refresh_from_db()
    assert (run.state, run.created, run.listed, run.settled) == ("cancelled", 2000, 2000, 2000)
    assert Task.objects.count() == 2000
    s3.requests.clear()
    again = importing.begin(ImportStorage.objects.get(pk=images.pk), None, "api")
    jobs.run_import(again.pk)
    again.refresh_from_db()
    assert (again.state, again.resumes, again.created, again.existed) == ("completed", run, 1500, 2000)
    assert again.listed == again.settled == 3500, "it also looked again at what was listed before"
    assert "start-after=1999.png" in [query for query in listings(s3) if "continuation" not in query][0]
    assert len({task.data["image"] for task in Task.objects.all()}) == Task.objects.count() == 3500


def test_an_object_added_before_the_place_where_a_run_stopped_is_not_missed(images, s3, monkeypatch, small_batches):
    run = importing.begin(images, None, "api")
    with monkeypatch.context() as patched:
        stop_after(patched, 2, lambda store: status.cancel(store.run, None))
        jobs.run_import(run.pk)
    s3.put("data", "0000a.png", b"x")
    jobs.run_import(importing.begin(ImportStorage.objects.get(pk=images.pk), None, "api").pk)
    assert Task.objects.count() == 3501 and ImportRun.objects.first().vanished == 0


def test_a_half_read_file_goes_on_at_its_row_in_the_same_run(s3, s3_settings, create, monkeypatch, tick):
    rows = [b'{"image": "%05d"}\n' % number for number in range(30_000)]
    rows[3] = b"no json\n"
    s3.put("data", "long.jsonl", b"".join(rows))
    storage = ImportStorage.objects.get(pk=create("s3", s3_settings)["id"])
    run = importing.begin(storage, None, "api")

    def die(store):
        raise SystemExit  # passes every handler, as a kill does

    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        stop_after(patched, 5, die)
        jobs.run_import(run.pk)
    state = ObjectState.objects.get()
    place = state.row_index
    assert (state.state, state.refused, Task.objects.count()) == ("reading", 1, place - 1) and 0 < place < 30_000
    assert state.offset == len(b"".join(rows[:place]))
    Shard.objects.update(heartbeat="2026-01-01T00:00Z")
    s3.requests.clear()
    tick()
    run.refresh_from_db()
    assert (run.state, run.created, run.failed, run.listed, run.settled) == ("completed_with_errors", 29_999, 1, 1, 1)
    assert ImportIssue.objects.count() == 1 and Task.objects.count() == ImportLink.objects.count() == 29_999
    assert ObjectState.objects.get().state == "failed", "it has a bad row"
    assert Shard.objects.count() == 0


def test_a_database_that_goes_away_for_a_moment_costs_nothing(images, monkeypatch, small_batches):
    run, save, troubles = importing.begin(images, None, "api"), BatchStore.save, iter([1, 0, 1, 1, 0, 0, 0, 0])

    def shaky(store, batch):
        trouble = next(troubles)
        save(store, batch)
        if trouble:  # committed, but the answer was lost
            raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(BatchStore, "save", shaky)
    jobs.run_import(run.pk)
    run.refresh_from_db()
    assert (run.state, run.created, run.listed, run.settled) == ("completed", 3500, 3500, 3500)
    assert Task.objects.count() == ImportLink.objects.count() == 3500


def test_only_what_failed_is_tried_again(s3, s3_settings, create, sync, api, work):
    for number in range(5):
        s3.put("data", f"{number}.json", b'{"image": "%d"}' % number)
    s3.put("data", "bad.json", b"{")
    s3.put("data", "gone.json", b"{")
    pk = create("s3", s3_settings)["id"]
    assert sync("s3", pk)["meta"]["failed"] == 2
    s3.put("data", "bad.json", b'{"image": "good"}')
    s3.delete("data", "gone.json")
    s3.requests.clear()
    run = jobs.start_retry(ImportStorage.objects.get(pk=pk))
    work()
    run.refresh_from_db()
    assert (run.kind, run.total, run.listed, run.settled, run.created, run.failed) == ("retry", 2, 2, 2, 1, 1)
    assert list(ImportIssue.objects.filter(run=run).values_list("key", "code")) == [("gone.json", "not_found")]
    assert listings(s3) == [] and not any("/0.json" in request.path for request in s3.requests)
    assert Task.objects.count() == 6


def test_a_cancel_ends_a_wait_for_a_slow_storage(images, s3):
    s3.fail_next(100, status=503)
    run = importing.begin(images, None, "api")
    worker = threading.Thread(target=lambda: (jobs.run_import(run.pk), connection.close()))
    worker.start()
    time.sleep(1.0)
    assert status.cancel(run, None)
    worker.join(timeout=status.HEARTBEAT + 20)
    assert not worker.is_alive()
    run.refresh_from_db()
    assert run.state == "cancelled" and Task.objects.count() == 0


def test_a_run_with_an_object_unaccounted_for_is_not_completed(images, monkeypatch):
    run, advance = importing.begin(images, None, "api"), shards.advance
    monkeypatch.setattr(shards, "advance", lambda shard, *, cursor=None, **counters: advance(shard, cursor=cursor))
    original = status.advance

    def forgetful(run, lease="", **counters):
        counters["settled"] = max(counters.get("settled", 0) - 1, 0)
        original(run, lease, **counters)

    monkeypatch.setattr(status, "advance", forgetful)
    jobs.run_import(run.pk)
    run.refresh_from_db()
    assert (run.state, run.error_code) == ("failed", "unaccounted") and "unaccounted for" in run.error


@pytest.mark.parametrize("method", ["retry", "changed"])
def test_a_page_of_files_that_was_not_finished_is_gone_through_again(s3, s3_settings, create, sync, tick, monkeypatch, method):
    """The files behind the place of death are still known as failed, or as changed."""
    for number in range(6):
        s3.put("data", f"{number}.jsonl", b'{"image": "old"}\n' + (b"" if method == "changed" else b"bad\n"))
    pk = create("s3", s3_settings, changed_policy="update")["id"]
    sync("s3", pk)
    for number in range(6):
        s3.put("data", f"{number}.jsonl", b'{"image": "new"}\n{"image": "more"}\n')
    storage = ImportStorage.objects.get(pk=pk)
    run = importing.begin(storage, None, "api", retry=method == "retry")
    monkeypatch.setattr("storages.sync.engine.BATCH_ROWS", 3)

    def die(store):
        raise SystemExit

    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        stop_after(patched, 2, die)
        jobs.run_import(run.pk)
    assert Task.objects.count() < 12
    Shard.objects.update(heartbeat="2026-01-01T00:00Z")
    tick()
    run.refresh_from_db()
    assert (run.state, run.listed, run.settled, run.changed, run.failed) == ("completed", 6, 6, 6, 0)
    assert (run.created, Task.objects.count(), Task.objects.filter(data__image="new").count()) == (6, 12, 6)
    assert set(ObjectState.objects.values_list("state", flat=True)) == {"done"}


def test_a_listing_that_cannot_be_entered_anywhere_begins_anew_after_a_cancel(
    create, documents, project, monkeypatch, small_batches
):
    for number in range(2500):
        (documents / f"{number:04}.png").write_bytes(b"x")
    settings = {"project": project.pk, "path": str(documents), "use_blob_urls": True}
    pk = create("localfiles", settings)["id"]
    run = importing.begin(ImportStorage.objects.get(pk=pk), None, "api")
    with monkeypatch.context() as patched:
        stop_after(patched, 1, lambda store: status.cancel(store.run, None))
        jobs.run_import(run.pk)
    again = importing.begin(ImportStorage.objects.get(pk=pk), None, "api")
    jobs.run_import(again.pk)
    again.refresh_from_db()
    assert (again.state, again.listed, Task.objects.count()) == ("completed", 2500, 2500)


def test_a_retry_waits_for_a_storage_that_asks_to_slow_down(s3, s3_settings, create, sync, work):
    s3.put("data", "bad.json", b"{")
    pk = create("s3", s3_settings)["id"]
    sync("s3", pk)
    s3.put("data", "bad.json", b'{"image": "good"}')
    s3.fail_next(6, status=503, match="bad.json")
    run = jobs.start_retry(ImportStorage.objects.get(pk=pk))
    work()
    run.refresh_from_db()
    assert (run.state, run.created, run.failed) == ("completed", 1, 0)


def test_a_secret_that_no_key_opens_ends_its_own_run_and_nothing_else(s3, s3_settings, create, api, tick):
    pk = create("s3", s3_settings, webhook_url="http://127.0.0.1:9/", webhook_secret="x")["id"]
    run = importing.begin(ImportStorage.objects.get(pk=pk), None, "api")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE storages_importstorage SET webhook_secret = 'broken'")
    ImportRun.objects.update(queued_at="2026-01-01T00:00Z")
    tick()
    run.refresh_from_db()
    assert (run.state, run.error_code) == ("failed", "decryption")
