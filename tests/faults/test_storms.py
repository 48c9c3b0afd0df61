"""A storage that asks to slow down, fails for a moment, or holds objects that would stop, slow or crash a reader."""

import random
import zlib

import pytest

from storages import jobs
from tests.faults import scenes, things
from tests.faults.things import Thing
from tests.faults.truth import differences, truth_of
from tests.faults.world import World

GIB, BLOCK = 1024**3, 8 * 1024**2


@pytest.mark.parametrize("status, code", [(503, "SlowDown"), (429, "TooManyRequests")])
@pytest.mark.parametrize("kind", ["files", "tasks"])
def test_a_storage_that_asks_to_slow_down_fails_nothing(world: World, kind: str, status: int, code: str) -> None:
    scene, rng = scenes.SCENES[kind].build(world, random.Random(9)), random.Random(9)
    world.store.meet = lambda event: world.store.fail_next(1, status=status, code=code) if rng.random() < 0.15 else None
    run = world.finish(scene.start())
    assert differences(scene.truth, run, set()) == []
    refused = [request for request in world.store.requests if request.status == status]
    assert refused, "the storage never refused"
    world.store.requests.clear()


def bomb(size: int) -> bytes:
    """A gzip file that unpacks to ``size`` zeros inside a JSON text; the same block again and again."""
    packer, block = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS), bytes(BLOCK).replace(b"\0", b"0")
    head = b'{"image": "'
    first = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    body = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum, count = zlib.crc32(head), size // BLOCK
    for _ in range(count):
        checksum = zlib.crc32(block, checksum)
    length = (len(head) + count * BLOCK) % 2**32
    trailer = checksum.to_bytes(4, "little") + length.to_bytes(4, "little")
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + first + body * count + packer.flush(zlib.Z_FINISH) + trailer


def test_a_poisonous_object_leaves_its_neighbours_alone(world: World) -> None:
    storage = world.storage(use_blob_urls=False)
    poison = [
        Thing("b/deep.json", b'{"image": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", {}, [0]),
        Thing("b/bomb.json.gz", bomb(GIB), {}, [0]),
        Thing("b/nothing.json", b"", {}, [None]),
        Thing("b/nan.json", b'{"image": NaN}', {}, [0]),
        Thing("b/bytes.json", bytes(range(256)) * 20, {}, [None]),
    ]
    found = [things.one(f"a/{number}.json", "good") for number in range(5)] + poison
    found += [things.lines(f"c/{number}.jsonl", 5, bad=[2]) for number in range(5)]
    world.put(storage, found)
    assert len(poison[1].body) < GIB // 500
    run = world.finish(jobs.start_import(storage), seconds=60)
    assert differences(truth_of(found, files=False), run, set()) == []


def test_a_name_that_a_filter_takes_too_long_on_leaves_its_neighbours_alone(world: World) -> None:
    storage = world.storage(use_blob_urls=True, regex_filter=r"(a|aa)+\.png")
    bucket = world.buckets[storage.pk]
    good = [things.image(bucket, f"{'a' * number}.png") for number in range(1, 30)]
    slow = Thing("a" * 60 + "!", b"x", {}, [None])
    world.put(storage, [*good, slow])
    run = world.finish(jobs.start_import(storage), seconds=60)
    assert differences(truth_of([*good, slow], files=True), run, set()) == []
