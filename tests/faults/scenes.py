"""What is synced in a round: a bucket before and after, the policies, and the truth that must come out."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from storages import jobs
from storages.base import ImportStorage
from storages.runs import ImportRun
from tests.faults import points, things, truth
from tests.faults.things import Thing
from tests.faults.truth import Truth, truth_of
from tests.faults.world import World


class Kind(NamedTuple):
    """How a scene is built, the parts of its run to kill in, and the statements that its run has, by part."""

    build: Callable[[World, random.Random], "Scene"]
    areas: tuple[str, ...]
    places: dict[str, list[str]]


@dataclass
class Scene:
    """A storage that is ready for the run that will be troubled. ``events``: requests of that run, by kind."""

    storage: ImportStorage
    truth: Truth
    events: dict[str, int]
    retry: bool = False
    cancel: bool = False

    def start(self) -> ImportRun:
        storage = ImportStorage.objects.get(pk=self.storage.pk)
        run = (jobs.start_retry if self.retry else jobs.start_import)(storage)
        assert run is not None, "a run is under way already"
        return run


def fill(world: World, storage: ImportStorage, found: list[Thing], *, files: bool) -> None:
    """Syncs ``found`` without any trouble."""
    world.put(storage, found)
    run = world.finish(jobs.start_import(storage))
    wrong = truth.differences(truth_of(found, files=files), run, set())
    assert not wrong, wrong


def images(world: World, storage: ImportStorage, numbers: range) -> list[Thing]:
    return [things.image(world.buckets[storage.pk], f"k/{number:05}.png", b"%d" % number) for number in numbers]


def files(world: World, rng: random.Random) -> Scene:
    """Images of 5 to 20 pages."""
    page, pages = rng.randint(20, 50), rng.randint(5, 20)
    world.store.set_page(page)
    return _images(world, rng, page, pages, 1)


def shared_files(world: World, rng: random.Random) -> Scene:
    """Images of many pages, which several workers share."""
    world.store.set_page(20)
    return _images(world, rng, 20, rng.randint(15, 25), 3)


def _images(world: World, rng: random.Random, page: int, pages: int, workers: int) -> Scene:
    storage = world.storage(use_blob_urls=True, sync_workers=workers)
    found = images(world, storage, range(page * pages - rng.randrange(page)))
    world.put(storage, found)
    return Scene(storage, truth_of(found, files=True), {"list": pages})


def tasks(world: World, rng: random.Random) -> Scene:
    """Files of rows in every format; large ones are read while their rows are saved."""
    world.store.set_page(10)
    storage = world.storage(use_blob_urls=False, sync_workers=rng.choice([1, 2]), sync_reads=rng.choice([2, 8]))
    found = things.task_files(rng)
    world.put(storage, found)
    return Scene(storage, truth_of(found, files=False), {"list": len(found) // 10 + 1, "read": len(found)})


def changed_files(world: World, rng: random.Random) -> Scene:
    """Images of which some changed, vanished, were renamed, are new."""
    world.store.set_page(30)
    storage = world.storage(
        use_blob_urls=True, changed_policy="flag", vanished_policy="delete", renamed_policy="follow", vanished_cap=40
    )
    old, bucket = images(world, storage, range(200)), world.buckets[storage.pk]
    fill(world, storage, old, files=True)
    renamed, vanished, changed = (set(part) for part in _parts(rng, 200, 25, 30, 20))
    now = [replace(thing, body=b"changed") if n in changed else thing for n, thing in enumerate(old) if n not in vanished]
    now = [_renamed(thing, bucket) if int(thing.key[2:7]) in renamed else thing for thing in now]
    now += images(world, storage, range(300, 340))
    _exchange(world, storage, old, now)
    lost = {old[number].key for number in vanished}
    wanted = truth_of(now, files=True)
    wanted.flags = {old[number].key: "changed" for number in changed}
    wanted.notes = Counter([(key, "vanished") for key in lost] + [(key, "changed") for key in wanted.flags])
    wanted.counters |= {"changed": 20, "vanished": 30, "renamed": 25, "existed": 170}
    wanted.created = False
    wanted.counters["created"] = 40
    return Scene(storage, wanted, {"list": 8})


def changed_tasks(world: World, rng: random.Random) -> Scene:
    """Files of rows: longer ones, ones with other data (a long one too), vanished, renamed and new ones."""
    world.store.set_page(8)
    storage = world.storage(
        use_blob_urls=False, changed_policy="update", vanished_policy="delete", renamed_policy="follow", vanished_cap=40
    )
    old = [things.lines(f"k/{number:03}.jsonl", 12) for number in range(24)] + [things.lines("k/long.jsonl", 400)]
    fill(world, storage, old, files=False)
    renamed, vanished, changed, longer = (set(part) for part in _parts(rng, 24, 4, 4, 4, 3))
    now = [old[number] for number in range(24) if number not in vanished | renamed | changed | longer]
    now += [replace(old[number], key=old[number].key.replace("k/", "m/")) for number in renamed]
    now += [things.lines(old[number].key, 12, mark="!") for number in changed]
    now += [things.lines(old[number].key, 20) for number in longer]
    now += [things.lines("k/long.jsonl", 450, mark="!", bad=[420])] + [things.lines(f"n/{n}.jsonl", 10) for n in range(4)]
    _exchange(world, storage, old, now)
    wanted = truth_of(now, files=False)
    wanted.notes = Counter((old[number].key, "vanished") for number in vanished)
    new = 3 * 8 + 49 + 4 * 10
    wanted.counters |= {"changed": 8, "vanished": 4, "renamed": 4, "existed": 20 * 12 + 400, "created": new}
    wanted.created = False
    return Scene(storage, wanted, {"list": 4, "read": 12})


def too_many_vanished(world: World, rng: random.Random) -> Scene:
    """More is gone than the cap allows: the run says so and deletes nothing, however often its worker dies."""
    storage = world.storage(use_blob_urls=True, vanished_policy="delete")
    old = images(world, storage, range(150))
    fill(world, storage, old, files=True)
    _exchange(world, storage, old, rng.sample(old, 110))
    wanted = truth_of(old, files=True)
    wanted.error_code, wanted.counters = "vanished_cap", {"listed": 110, "settled": 110, "created": 0, "failed": 0}
    return Scene(storage, wanted, {"list": 3})


def retry(world: World, rng: random.Random) -> Scene:
    """Only what failed is read again; a part of it is repaired by then."""
    storage = world.storage(use_blob_urls=False)
    good = [things.lines(f"good/{number}.jsonl", 5) for number in range(10)]
    bad = [things.lines(f"bad/{number:02}.jsonl", 12, bad=[1 + number % 11]) for number in range(30)]
    fill(world, storage, good + bad, files=False)
    repaired = set(rng.sample(range(30), 20))
    now = [things.lines(thing.key, 12) if number in repaired else thing for number, thing in enumerate(bad)]
    world.put(storage, [thing for number, thing in enumerate(now) if number in repaired])
    wanted = truth_of(good + now, files=False)
    wanted.counters = {"listed": 30, "settled": 30, "failed": 10, "total": 30, "existed": 30 * 11}
    return Scene(storage, wanted, {"read": 30}, retry=True)


def cancelled(world: World, rng: random.Random) -> Scene:
    """As ``files`` or ``tasks``, but the run is cancelled and another goes on."""
    scene = rng.choice([files, tasks])(world, rng)
    scene.cancel = True
    return scene


FILES = {"write": points.BATCH, "finish": points.END}
TASKS = {"write": [*points.BATCH, *points.ROWS], "finish": points.END}
CHANGED_FILES = {"write": points.BATCH, "finish": [*points.END, *points.STAGES]}
CHANGED_TASKS = {"write": TASKS["write"], "finish": CHANGED_FILES["finish"]}
CAPPED = {"write": points.BATCH[:1] + points.BATCH[4:], "finish": points.END[:2] + points.STAGES[:1]}
SCENES: dict[str, Kind] = {
    "files": Kind(files, ("list", "write", "finish"), FILES),
    "shared files": Kind(shared_files, ("list", "list", "write", "finish"), FILES),
    "tasks": Kind(tasks, ("list", "read", "read", "write", "write", "finish"), TASKS),
    "changed files": Kind(changed_files, ("list", "write", "finish", "finish"), CHANGED_FILES),
    "changed tasks": Kind(changed_tasks, ("list", "read", "write", "write", "finish", "finish"), CHANGED_TASKS),
    "too many vanished": Kind(too_many_vanished, ("list", "write", "finish"), CAPPED),
    "retry": Kind(retry, ("read", "read", "write", "finish"), TASKS),
    "cancelled": Kind(cancelled, ("list", "write"), FILES),
}


def _parts(rng: random.Random, count: int, *sizes: int) -> list[list[int]]:
    """Disjoint random parts of range(count)."""
    order = rng.sample(range(count), count)
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    return [order[start : start + size] for start, size in zip(starts, sizes, strict=True)]


def _renamed(thing: Thing, bucket: str) -> Thing:
    return things.image(bucket, thing.key.replace("k/", "m/"), thing.body)


def _exchange(world: World, storage: ImportStorage, old: list[Thing], now: list[Thing]) -> None:
    """The bucket holds ``now`` from here on."""
    bucket, kept = world.buckets[storage.pk], {thing.key: thing.body for thing in now}
    for thing in old:
        if thing.key not in kept:
            world.store.delete(bucket, thing.key)
    bodies = {thing.key: thing.body for thing in old}
    world.put(storage, [thing for thing in now if bodies.get(thing.key) != thing.body])
