"""A large listing is cut while it runs, so that several workers share it; together they import each object once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from storages import importing, jobs
from storages.base import ImportStorage
from storages.links import ImportLink
from storages.runs import ImportRun
from storages.shards import Shard
from storages.sync.split import between
from tasks.models import Task


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_cut_lies_between_its_ends(a, b):
    low, high = sorted([a, b])
    cut = between(low, high)
    assert cut is None or low < cut < high


def test_a_cut_of_numbered_names_is_near_their_middle():
    assert "img-04" <= between("img-0000000.jpg", "img-0999999.jpg") < "img-06"


@pytest.fixture
def storage(s3, s3_settings, create, monkeypatch):
    for number in range(12_000):
        s3.put("data", f"img-{number:07}.png", b"x")
    monkeypatch.setattr("storages.splitting.PAGES", 2)
    return ImportStorage.objects.get(pk=create("s3", s3_settings, use_blob_urls=True, recursive_scan=True)["id"])


def work_together(run, workers):
    """Workers that come back as long as the run goes on; the jobs that RQ would give them."""
    begun = threading.Barrier(workers)

    def worker():
        begun.wait()
        while ImportRun.objects.get(pk=run.pk).active:
            jobs.run_import(run.pk)
        connection.close()

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda _: worker(), range(workers)))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("workers", [1, 3])
def test_workers_share_a_listing_and_import_each_object_once(storage, workers, monkeypatch):
    pieces = []
    finish = Shard.__init__
    monkeypatch.setattr(Shard, "__init__", lambda shard, *a, **k: (pieces.append(k.get("low")), finish(shard, *a, **k))[1])
    run = importing.begin(storage, None, "api")
    work_together(run, workers)
    run.refresh_from_db()
    assert len({low for low in pieces if low}) >= 2, "it was never cut"
    assert (run.state, run.listed, run.settled, run.created, run.failed) == ("completed", 12_000, 12_000, 12_000, 0)
    assert ImportLink.objects.values("key").distinct().count() == Task.objects.count() == 12_000
    inner = sorted(Task.objects.values_list("inner_id", flat=True))
    assert inner == list(range(1, 12_001))
    again = importing.begin(ImportStorage.objects.get(pk=storage.pk), None, "api")
    work_together(again, workers)
    again.refresh_from_db()
    assert (again.state, again.listed, again.existed, again.created, again.vanished) == ("completed", 12_000, 12_000, 0, 0)


@pytest.mark.django_db(transaction=True)
def test_a_storage_for_one_worker_is_never_cut(storage, s3):
    storage.sync_workers = 1
    storage.save()
    run = importing.begin(storage, None, "api")
    s3.requests.clear()
    jobs.run_import(run.pk)
    assert len(s3.requests) == 12 and Task.objects.count() == 12_000
