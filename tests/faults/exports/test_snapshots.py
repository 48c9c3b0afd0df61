"""A snapshot whose worker is killed: the run says so, no reader sees half of it, and the next one is whole."""

import hashlib
import json
import random

import pytest

from storages import jobs
from storages.base import ExportStorage
from storages.runs import ExportRun
from tests.faults import orders
from tests.faults.exports.editor import RESULT
from tests.faults.exports.port import Port, Target
from tests.faults.orders import Order
from tests.faults.points import Point, in_flight

TASKS, SHARDS = 30, 4  # a shard holds 8 tasks here
PLACES = [
    ("write", 1),
    ("written", 2),
    ("write", SHARDS + 1),  # the manifest
    ("before", r'UPDATE "storages_exportrun" SET "state" = %s, "finished_at"'),
]


@pytest.fixture
def target(port: Port) -> Target:
    """A bucket with the annotations of 30 tasks; the sync is over."""
    made = port.target("annotation", may_delete=True, tasks=TASKS)
    answer = port.world.api().post("/api/annotations/bulk/", {"tasks": made.tasks, "result": RESULT}, format="json")
    assert answer.status_code == 201, answer.content
    port.settle(made)
    return made


def ordered(port: Port, when: str, what: int | str) -> Point:
    if isinstance(what, int):
        return in_flight(port.world, when, random.Random(0), what, whole=False)
    orders.place(port.world.directory, Order(when, what, role="worker"))
    return Point("", what, port.world)


def snapshots(port: Port, target: Target) -> list[str]:
    """The folders that a reader takes for snapshots; AssertionError if one is not whole."""
    store, found = port.world.store, []
    for key in store.keys(target.bucket, "snapshots/"):
        folder, _, name = key.rpartition("/")
        if name == "manifest.json":
            manifest = json.loads(store.get(target.bucket, key))
            shards = [(one, store.get(target.bucket, f"{folder}/{one['name']}")) for one in manifest["shards"]]
            assert all(body and hashlib.sha256(body).hexdigest() == one["sha256"] for one, body in shards), folder
            tasks = [json.loads(line)["id"] for _, body in shards for line in body.splitlines()]
            assert sorted(tasks) == target.tasks and manifest["counts"]["tasks"] == TASKS
            found.append(folder)
    return found


def taken(port: Port, target: Target) -> ExportRun:
    """A snapshot that has ended; whoever reads meanwhile sees whole ones only."""
    run = jobs.start_snapshot(ExportStorage.objects.get(pk=target.storage))
    port.settle(target, lambda: snapshots(port, target))
    run.refresh_from_db()
    return run


@pytest.mark.parametrize(("when", "what"), PLACES)
def test_a_killed_snapshot_ends_honestly_and_is_never_seen_in_part(
    port: Port, target: Target, when: str, what: int | str
) -> None:
    point = ordered(port, when, what)
    run = taken(port, target)
    assert point.hit, "no worker died"
    point.disarm()
    assert (run.state, run.error_code) == ("failed", "worker_lost") and "died" in run.error
    before = snapshots(port, target)
    assert len(before) <= 1, "it is whole or is not there"
    port.world.crew.await_ready()
    again = taken(port, target)
    assert again.state == "completed", again.error
    whole = snapshots(port, target)
    assert set(before) < set(whole) and len(whole) == len(before) + 1
    folders = {key.rpartition("/")[0] for key in port.world.store.keys(target.bucket, "snapshots/")}
    assert folders == set(whole), "the next snapshot removes what is left of a dead one"
