"""A large listing is cut while it runs, so that several workers share it; together they import each object once."""

import base64
import hashlib
import threading
from bisect import bisect_right
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from types import SimpleNamespace

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from storages import importing, jobs
from storages.base import ImportStorage
from storages.links import ImportLink
from storages.runs import ImportRun
from storages.shards import Shard
from storages.splitting import Splitter
from storages.sync.split import cuts, points
from tasks.models import Task


@given(st.text(max_size=30), st.text(max_size=30), st.integers(1, 9), st.lists(st.text(max_size=20), max_size=5))
def test_cuts_lie_between_their_ends_and_rise(a, b, parts, sample):
    low, high = sorted([a, b])
    found = points(low, high, parts, sample)
    assert len(found) < parts or not found
    assert all(one < other for one, other in pairwise([low, *found, high])) or not found


class Shelf:
    """What a client knows of sorted keys; counts how often it was asked."""

    root = ""

    def __init__(self, keys):
        self.keys, self.asked = keys, 0

    def list(self, *, recursive, span, after=""):
        self.asked += 1
        low, high = bisect_right(self.keys, span.low), bisect_right(self.keys, span.high) if span.high else len(self.keys)
        yield SimpleNamespace(objects=self.keys[low : min(high, low + 1000)])


NAMES = {
    "numbered": lambda n: f"img/{n:08}.jpg",
    "numbered in folders": lambda n: f"day-{n // 20_000:02}/{n % 20_000:06}.png",
    "digests": lambda n: hashlib.md5(str(n).encode()).hexdigest(),
    "upper and lower": lambda n: base64.urlsafe_b64encode(hashlib.sha256(str(n).encode()).digest()).decode(),
}


@pytest.mark.parametrize("kind", NAMES)
def test_the_parts_of_a_cut_are_of_much_the_same_size(kind):
    shelf = Shelf(sorted(NAMES[kind](n) for n in range(100_000)))
    page = shelf.keys[3000:4000]
    found = cuts(shelf, page[-1], "", page[::20], 3)
    places = [4000, *(bisect_right(shelf.keys, cut) for cut in found), 100_000]
    sizes = [end - start for start, end in pairwise(places)]
    assert len(sizes) == 4 and max(sizes) < 1.6 * 96_000 / 4, sizes
    assert shelf.asked < 40


def test_nothing_behind_the_sample_is_not_cut():
    shelf = Shelf([f"img/{n:08}.jpg" for n in range(1000)])
    assert cuts(shelf, shelf.keys[-1], "", shelf.keys[::20], 3) == []


@pytest.fixture
def storage(s3, s3_settings, create, monkeypatch):
    for number in range(16_000):
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
    due = Splitter.due
    # a listing from this machine ends sooner than it is found out where to cut it
    monkeypatch.setattr(Splitter, "due", lambda one, page: due(one, page) or (one.search and one.search.exception(60), False)[1])
    run = importing.begin(storage, None, "api")
    work_together(run, workers)
    run.refresh_from_db()
    assert len({low for low in pieces if low}) >= 2, "it was never cut"
    assert (run.state, run.listed, run.settled, run.created, run.failed) == ("completed", 16_000, 16_000, 16_000, 0)
    assert ImportLink.objects.values("key").distinct().count() == Task.objects.count() == 16_000
    inner = sorted(Task.objects.values_list("inner_id", flat=True))
    assert inner == list(range(1, 16_001))
    again = importing.begin(ImportStorage.objects.get(pk=storage.pk), None, "api")
    work_together(again, workers)
    again.refresh_from_db()
    assert (again.state, again.listed, again.existed, again.created, again.vanished) == ("completed", 16_000, 16_000, 0, 0)


@pytest.mark.django_db(transaction=True)
def test_a_storage_for_one_worker_is_never_cut(storage, s3):
    storage.sync_workers = 1
    storage.save()
    run = importing.begin(storage, None, "api")
    s3.requests.clear()
    jobs.run_import(run.pk)
    assert len(s3.requests) == 16 and Task.objects.count() == 16_000
