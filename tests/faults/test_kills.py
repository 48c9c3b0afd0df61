"""Workers killed at random places of every kind of sync. In full: ``python -m tests.faults --kills 60 --database postgres``."""

import os
import random

import pytest

from tests.faults import orders
from tests.faults.orders import Order
from tests.faults.rounds import play
from tests.faults.scenes import SCENES
from tests.faults.truth import differences, rows_of
from tests.faults.world import World

KILLS, ROUNDS = 2, 8  # of each scene; the most rounds to get them


@pytest.mark.parametrize("scene", SCENES)
def test_whatever_a_worker_is_killed_at_the_run_ends_right(world: World, scene: str) -> None:
    seed = int(os.environ.get("FAULTS_SEED") or random.randrange(10**9))
    kills = 0
    for number in range(ROUNDS):
        played = play(world, scene, seed + number, KILLS)
        kills += len(played.kills)
        how = f"python -m tests.faults --scene '{scene}' --seed {seed + number} --rounds 1 --kills {KILLS}"
        assert not played.wrong, f"{how}\n{played.line(number)}\n" + "\n".join(played.wrong)
        if kills >= KILLS:
            return
    raise AssertionError(f"only {kills} kills in {ROUNDS} rounds from seed {seed} on")


@pytest.mark.parametrize("scene", ["tasks", "changed tasks", "retry"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_that_dies_over_its_third_batch_leaves_nothing_undone(world: World, scene: str, when: str) -> None:
    ready = SCENES[scene].build(world, random.Random(1))
    before = rows_of(ready.storage.pk)
    orders.place(world.directory, Order(when, r'(INSERT INTO|COPY) "storages_objectstate"', left=3))
    run = world.finish(ready.start())
    assert orders.fired(world.directory), "no worker died"
    assert differences(ready.truth, run, before) == []
