"""Where a worker is killed: the parts of a run, and the exact places inside each of them."""

import random
import threading
import time
from dataclasses import dataclass

from tests.faults import orders
from tests.faults.orders import Order
from tests.faults.world import World

BATCH = [  # statements of every batch's transaction, in their order
    r'UPDATE "storages_shard" SET "heartbeat".*"cursor"',
    r'(INSERT INTO|COPY) "tasks_task"',
    r'UPDATE "projects_project"',
    r'(INSERT INTO|COPY) "storages_importlink"',
    r'UPDATE "storages_importrun" SET .*"settled"',
    "COMMIT",
    "COMMIT",
]
ROWS = [  # of batches of the "Tasks" method besides
    r'DELETE FROM "storages_objectstate"',
    r'(INSERT INTO|COPY) "storages_objectstate"',
    r'(INSERT INTO|COPY) "storages_importissue"',
]
END = [  # from the last batch to the end of the run
    r'UPDATE "storages_shard" SET "state" = %s, "lease" = %s',
    r'"finished_at"',
    r'DELETE FROM "storages_(seen|parkedobject|shard)"',
]
STAGES = [  # of the stages behind the listing
    r'(INSERT INTO|COPY) "storages_seen"',
    r'UPDATE "storages_importlink" SET "digest"',
    r'UPDATE "storages_importrun" SET .*"renamed"',
    r'UPDATE "storages_importrun" SET .*"vanished"',
    r'DELETE FROM "tasks_task"',
    r'SELECT .* FROM "storages_parkedobject"',
]
AREAS = ("list", "read", "write", "finish")


@dataclass
class Point:
    """One kill that is waited for. ``hit`` says whether it has happened."""

    area: str
    place: str
    world: World
    struck: bool = False

    @property
    def hit(self) -> bool:
        return self.struck or orders.fired(self.world.directory) is not None

    def disarm(self) -> None:
        self.world.store.meet = lambda event: None
        orders.cancel(self.world.directory)


def arm(world: World, area: str, rng: random.Random, events: int, places: dict[str, list[str]]) -> Point:
    """The next kill; ``events``: about how many pages, or bodies, the run asks for; ``places``: statements that it has."""
    whole = rng.random() < 0.15
    if area in ("list", "read"):
        return in_flight(world, area, rng, rng.randint(1, max(events, 1)), whole)
    match = rng.choice(places[area])
    left = rng.randint(1, 3) if area == "write" else 1
    order = Order(rng.choice(["before", "after"]), match, left, whole)
    orders.place(world.directory, order)
    return Point(area, f"{order.when} {order.match} #{left}{' (whole worker)' if whole else ''}", world)


def in_flight(world: World, event: str, rng: random.Random, left: int, whole: bool) -> Point:
    """Kills a job while the so many-th request of it waits for an answer, or a moment after the answer was sent."""
    later = rng.choice([0.0, 0.0, rng.random() * 0.15])
    point = Point(event, f"{event} #{left} +{later * 1000:.0f} ms{' (whole worker)' if whole else ''}", world)
    chance = rng.random()

    def kill() -> None:
        time.sleep(later)
        if horses := world.crew.horses():
            world.crew.kill(horses[int(chance * len(horses))], whole_worker=whole)
            point.struck = True

    def meet(met: str) -> None:
        nonlocal left
        left -= met == event
        if left or met != event:
            return
        if later:
            threading.Thread(target=kill, daemon=True).start()
        else:
            kill()

    world.store.meet = meet
    return point
