"""The same work twice at the same moment: jobs, syncs, workers that come back late, listings that name keys twice."""

import os
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from storages import importing, jobs
from storages.queueing import enqueue
from storages.runs import ImportRun
from storages.shards import Shard
from tests.e2e.server import until
from tests.faults import orders, scenes
from tests.faults.orders import Order
from tests.faults.scenes import Scene
from tests.faults.truth import differences, rows_of
from tests.faults.world import World


@pytest.mark.parametrize("scene", ["files", "shared files", "tasks"])
def test_a_job_delivered_twice_imports_everything_once(world: World, scene: str) -> None:
    ready = scenes.SCENES[scene].build(world, random.Random(1))
    run = importing.begin(ready.storage, None, "api")
    for number in range(4):
        enqueue("low", "storages.jobs.run_import", run.pk, f"{run.job_id}-{number}")
    until(lambda: len(world.crew.horses()) == 2 or not run_is_active(run), 20, "two workers have it")
    assert differences(ready.truth, world.finish(run), set()) == []


def run_is_active(run: ImportRun) -> bool:
    run.refresh_from_db()
    return run.active


def test_of_two_syncs_posted_at_once_one_runs(world: World) -> None:
    scene = scenes.files(world, random.Random(2))
    api, begun = world.api(), Barrier(4)

    def post() -> tuple[int, str]:
        begun.wait()
        try:
            answer = api.post(f"/api/storages/s3/{scene.storage.pk}/sync")
            return answer.status_code, answer.json()["last_sync_job"]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = {future.result() for future in [pool.submit(post) for _ in range(4)]}
    run = ImportRun.objects.get(storage=scene.storage)
    assert answers == {(200, run.job_id)}
    assert differences(scene.truth, world.finish(run), set()) == []


def stopped(world: World) -> int:
    """The process of the job that was stopped between two batches, without a lock on anything."""
    return until(lambda: world.turn() or orders.fired(world.directory), 30, "the worker is stopped")


@pytest.mark.parametrize("back", ["while another works", "after the end"])
@pytest.mark.parametrize("kind", ["files", "tasks"])
def test_a_worker_that_comes_back_after_its_lease_writes_nothing(world: World, kind: str, back: str) -> None:
    scene = scenes.SCENES[kind].build(world, random.Random(3))
    orders.place(world.directory, Order("before", "SET last_inner_id", left=2, signal=signal.SIGSTOP))
    run = scene.start()
    pid = stopped(world)
    try:
        held = Shard.objects.get(run=run, state=Shard.State.TAKEN)
        until(lambda: world.turn() or not Shard.objects.filter(lease=held.lease).exists(), 20, "the lease has expired")
        until(lambda: world.turn() or is_taken_or_over(run), 40, "another has taken it")
        if back == "after the end":
            until(lambda: not run_is_active(run), 60, "another has finished it")
            rows = rows_of(scene.storage.pk)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert differences(scene.truth, world.finish(run), set()) == []
    assert back != "after the end" or rows == rows_of(scene.storage.pk)


def is_taken_or_over(run: ImportRun) -> bool:
    return not run_is_active(run) or Shard.objects.filter(run=run, state=Shard.State.TAKEN).exists()


def within(entries: list[bytes], page: bytes) -> list[bytes]:
    return [entry for entry in entries for _ in range(2)]


class Across:
    """The last entry of a page stands on the next one too, or on that of another piece behind it."""

    def __init__(self) -> None:
        self.last: list[bytes] = []

    def __call__(self, entries: list[bytes], page: bytes) -> list[bytes]:
        last, self.last = self.last, entries[-1:]
        return [*last, *entries] if last < entries[:1] else entries  # a listing is in order


class Everywhere:
    """The first twenty entries ever listed stand on every page, whoever asks for it."""

    def __init__(self) -> None:
        self.first: list[bytes] = []

    def __call__(self, entries: list[bytes], page: bytes) -> list[bytes]:
        self.first = self.first or entries[:20]
        return [*self.first, *entries]


@pytest.mark.parametrize("kind", ["files", "shared files", "tasks"])
@pytest.mark.parametrize("repeat", [lambda: within, Across, Everywhere], ids=["a page", "pages", "everywhere"])
def test_a_key_listed_more_than_once_gives_its_tasks_once(world: World, kind: str, repeat: type) -> None:
    scene = scenes.SCENES[kind].build(world, random.Random(4))
    world.store.repeat = repeat()
    run = world.finish(scene.start())
    for name in ("listed", "settled"):
        del scene.truth.counters[name]
    assert differences(scene.truth, run, set()) == []
    assert run.listed == run.settled >= len({key for key, _, _ in scene.truth.tasks})
    world.store.repeat = repeat()
    again = world.finish(jobs.start_import(scene.storage))
    assert (again.created, again.vanished) == (0, 0)
    assert differences_of_tasks(scene, again) == []


def differences_of_tasks(scene: Scene, run: ImportRun) -> list[str]:
    """What a sync that found nothing new left behind, whatever it counted."""
    scene.truth.counters = {}
    scene.truth.created = False
    return differences(scene.truth, run, rows_of(scene.storage.pk))


def test_the_harness_sees_a_missing_and_a_doubled_row(world: World) -> None:
    scene = scenes.files(world, random.Random(5))
    run = world.finish(scene.start())
    assert differences(scene.truth, run, set()) == []
    row, data = scene.truth.tasks.popitem()
    assert any("1 too many" in line for line in differences(scene.truth, run, set()))
    scene.truth.tasks |= {row: data, ("not there", 0, 0): {"image": "x"}}
    assert any("1 missing" in line for line in differences(scene.truth, run, set()))
