"""What the workers depend on goes away in the middle of a sync: the database's connections, the queue with all it holds."""

import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from django.db import connection

from storages.runs import ImportRun
from tests.e2e.server import until
from tests.faults import inside, scenes
from tests.faults.crew import ROOT
from tests.faults.scenes import Scene
from tests.faults.truth import differences
from tests.faults.world import World


def begun(world: World, name: str, seed: int) -> tuple[Scene, ImportRun]:
    """A slow run of which a part is committed."""
    scene = scenes.SCENES[name].build(world, random.Random(seed))
    world.store.delay(0.05)
    run = scene.start()
    until(lambda: world.turn() or ImportRun.objects.filter(pk=run.pk, created__gt=0).exists(), 30, "a part is committed")
    return scene, run


def cut_connections() -> None:
    """PostgreSQL ends the connections of all others; on SQLite somebody holds the lock for longer than others wait for it."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        time.sleep(0.3)
        return
    holder = sqlite3.connect(connection.settings_dict["NAME"], timeout=30, isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        time.sleep(1.2)
        holder.execute("ROLLBACK")
    finally:
        holder.close()


@pytest.fixture
def impatient(world: World) -> Iterator[None]:
    """Workers that wait for SQLite's lock for 0.3 s instead of 60."""
    patience = world.directory / inside.BUSY
    patience.write_text("300")
    yield
    patience.unlink()


@pytest.mark.parametrize("name", ["files", "tasks", "shared files"])
def test_a_database_connection_that_breaks_again_and_again_costs_nothing(world: World, impatient: None, name: str) -> None:
    scene, run = begun(world, name, 6)
    for _ in range(3):
        cut_connections()
        time.sleep(0.4)
    world.store.heal()
    assert differences(scene.truth, world.finish(run), set()) == []


def test_a_restart_of_postgresql_costs_nothing() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.faults.restart"], cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0 and done.stdout == "right\n", done.stdout + done.stderr


def flush(world: World) -> None:
    world.crew.redis.flushall()


def restart(world: World) -> None:
    world.lose_queue()


@pytest.mark.parametrize("lose", [flush, restart])
@pytest.mark.parametrize("also", ["the job too", "only the queue"])
def test_a_queue_that_loses_everything_costs_nothing(world: World, lose: Callable[[World], None], also: str) -> None:
    scene, run = begun(world, "files", 7)
    lose(world)
    if also == "the job too":
        for horse in world.crew.horses():
            world.crew.kill(horse)
    world.store.heal()
    try:
        assert differences(scene.truth, world.finish(run), set()) == []
    finally:
        world.crew.renew()


def test_a_queue_that_is_away_when_the_sync_is_posted_costs_nothing(world: World) -> None:
    scene = scenes.files(world, random.Random(8))
    world.queue.kill()
    world.queue.wait(10)
    answer = world.api().post(f"/api/storages/s3/{scene.storage.pk}/sync")
    assert (answer.status_code, answer.json()["status"]) == (200, "queued")
    restart(world)
    try:
        assert differences(scene.truth, world.finish(ImportRun.objects.get(storage=scene.storage)), set()) == []
    finally:
        world.crew.renew()
