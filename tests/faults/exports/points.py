"""Where something is killed while annotations are saved and delivered: the parts, and the exact places inside each."""

import random
import threading
import time

from tests.faults import orders
from tests.faults.exports.port import Port
from tests.faults.orders import Order
from tests.faults.points import Point, in_flight

SAVE = [  # of a request that changes annotations; after its COMMIT the queue does not know yet
    r'(INSERT INTO|COPY) "tasks_annotation"',
    r'UPDATE "tasks_annotation"',
    r'DELETE FROM "tasks_annotation"',
    r'DELETE FROM "tasks_task"',
    r'INSERT INTO "storages_outboxitem"',
    r'UPDATE "projects_project"',
    "COMMIT",
    "COMMIT",
    "COMMIT",
]
DELIVER = [  # from the claim of rows to their end, in this order
    r'UPDATE "storages_outboxitem" SET "claim" = %s, "due"',
    "COMMIT",
    r'SELECT .* FROM "tasks_annotation"',
    r'INSERT INTO "storages_exportlink" .*DO NOTHING',
    r'INSERT INTO "storages_exportlink" .*DO UPDATE',
    r'DELETE FROM "storages_exportlink"',
    r'DELETE FROM "storages_outboxitem"',
]
POSTPONE = [r'UPDATE "storages_outboxitem" SET .*"attempts"']
RUN = [  # of a sync besides
    r'INSERT INTO "storages_outboxitem" .*SELECT',
    r'UPDATE "storages_exportrun" SET .*"(created|total)"',
    r'"finished_at"',
]
CLOSE = [  # of a project's deletion: (what dies, where)
    ("web", r'DELETE FROM "tasks_task"'),
    ("web", r'UPDATE "storages_exportstorage" SET .*"former_project"'),
    ("web", r'DELETE FROM "projects_project"'),
    ("worker", r'DELETE FROM "storages_exportlink"'),
    ("worker", r'DELETE FROM "storages_outboxitem"'),
    ("worker", r'FROM "storages_exportstorage" LEFT OUTER JOIN "storages_outboxitem"'),
    ("worker", r'DELETE FROM "storages_(s3exportstorage|exportstorage)"'),
]
AREAS = ("save", "deliver", "write", "written", "delete", "postpone", "run", "close", "any web", "any worker")
STATEMENTS = {"save": ("web", SAVE), "deliver": ("worker", DELIVER), "postpone": ("worker", POSTPONE), "run": ("worker", RUN)}


def arm(port: Port, area: str, rng: random.Random) -> Point:
    """The next kill."""
    whole = rng.random() < 0.2
    if area in ("write", "written", "delete"):
        return in_flight(port.world, area, rng, rng.randint(1, 6), whole)
    if area.startswith("any "):
        return _at_any_instant(port, area, rng, whole)
    role, match = rng.choice(CLOSE) if area == "close" else (STATEMENTS[area][0], rng.choice(STATEMENTS[area][1]))
    left = 1 if area in ("close", "run", "postpone") else rng.randint(1, 3)
    order = Order(rng.choice(["before", "after"]), match, left, whole, role=role)
    orders.place(port.world.directory, order)
    return Point(area, f"{role}: {order.when} {match} #{left}{' (whole)' if whole else ''}", port.world)


def _at_any_instant(port: Port, area: str, rng: random.Random, whole: bool) -> Point:
    """After a random while; what works on jobs is waited for, and dies a random moment into its work."""
    first, then = rng.random() * 0.8, rng.random() * 0.06
    point = Point(area, f"{area} after {first:.3f} s{' (whole)' if whole else ''}", port.world)

    def kill() -> None:
        time.sleep(first)
        if point.struck:  # called off
            return
        if area == "any web":
            port.web.kill(whole=whole)
            point.struck = True
            return
        end = time.monotonic() + 5
        while time.monotonic() < end and not point.struck:
            if horses := port.world.crew.horses():
                time.sleep(then)
                port.world.crew.kill(horses[0], whole_worker=whole)
                point.struck = True

    threading.Thread(target=kill, daemon=True).start()
    return point
