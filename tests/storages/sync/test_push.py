"""As many objects are written at once as the store takes time, and no more threads than that."""

import threading
import time

import pytest

from storages.client import Client
from storages.errors import Unavailable
from storages.sync import push
from storages.sync.push import FEW, WRITERS, Pusher, Write


class Slow(Client):
    """A store that needs ``seconds`` for a write and knows how many it had at the same time; refuses one key."""

    list = stat = open = delete = None  # type: ignore[assignment]

    def __init__(self, seconds: float) -> None:
        self.seconds, self.now, self.most, self.lock, self.keys = seconds, 0, 0, threading.Lock(), []

    def write(self, key: str, data: bytes, content_type: str = "application/json") -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.keys.append(key)
        time.sleep(self.seconds)
        with self.lock:
            self.now -= 1
        if key == "refused":
            raise Unavailable("not now")


def writes(count):
    return [Write(number, f"{number:03}", b"{}") for number in range(count)]


@pytest.fixture
def slow():
    return Slow(0.06)


def test_a_store_that_takes_its_time_gets_many_at_once(slow):
    with Pusher(slow) as pusher:
        pusher.push(writes(5 * WRITERS))
        assert slow.most == WRITERS
        assert sorted(slow.keys) == [write.key for write in writes(5 * WRITERS)], "each of them once"
        slow.most = 0
        pusher.push(writes(WRITERS))
    assert slow.most == WRITERS, "and the next ones at once"


def test_where_the_processor_is_busy_few_threads_write(slow, monkeypatch):
    monkeypatch.setattr(push, "BUSY", 0)
    with Pusher(slow) as pusher:
        pusher.push(writes(5 * FEW))
    assert slow.most == FEW


@pytest.mark.parametrize("count", [0, 1, 3, WRITERS + 1])
def test_each_is_answered_with_its_own_failure(slow, count):
    asked = [*writes(count), Write(-1, "refused", b"{}")]
    with Pusher(slow) as pusher:
        done = dict(pusher.push(asked))
    assert sorted(done) == sorted(asked)
    assert [write.subject for write, error in done.items() if error] == [-1]
