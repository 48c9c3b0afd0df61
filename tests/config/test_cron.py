"""The scheduler calls its function at a steady pace, outlives a database or queue that is away, and ends at SIGTERM."""

import os
import signal
import threading
import time

import pytest
from django.db import OperationalError
from redis.exceptions import ConnectionError as RedisAway

from config import cron


class Stop(Exception):
    """Ends the endless loop of a test."""


class Rounds:
    """A tick that notes when it was called and raises what it is told to, then Stop."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self.outcomes, self.times = [*outcomes, Stop()], []

    def __call__(self) -> None:
        self.times.append(time.monotonic())
        if outcome := self.outcomes.pop(0):
            raise outcome


@pytest.fixture(autouse=True)
def fast(monkeypatch, db) -> None:
    monkeypatch.setattr(cron, "SECONDS", 0.2)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_rounds_start_at_a_steady_pace() -> None:
    rounds = Rounds(None, None)
    with pytest.raises(Stop):
        cron.run(rounds)
    assert [b - a for a, b in zip(rounds.times, rounds.times[1:], strict=False)] == pytest.approx([0.2, 0.2], abs=0.15)


@pytest.mark.parametrize("fault", [OperationalError("database is away"), RedisAway("queue is away")])
def test_a_database_or_queue_that_is_away_is_tried_again(fault: Exception, caplog) -> None:
    rounds = Rounds(fault, None)
    with pytest.raises(Stop):
        cron.run(rounds)
    assert len(rounds.times) == 3
    assert "is away" in caplog.text


def test_any_other_fault_ends_the_process_so_that_it_is_started_anew() -> None:
    with pytest.raises(ZeroDivisionError):
        cron.run(Rounds(ZeroDivisionError()))


def test_sigterm_ends_it_without_waiting_for_the_next_round(monkeypatch) -> None:
    monkeypatch.setattr(cron, "SECONDS", 60)
    threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGTERM]).start()
    started = time.monotonic()
    with pytest.raises(SystemExit) as end:
        cron.run(lambda: None)
    assert end.value.code == 0 and time.monotonic() - started < 5
