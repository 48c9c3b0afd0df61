"""The supervisor with real processes: nothing is left behind, however it ends; what dies is started again."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.config.processes import MARK, alive, survivors, wait_until

ROOT = Path(__file__).parents[2]
PARENT = """
import os, sys
from pathlib import Path
from config.supervisor import Service, StopRequested, Supervisor

with Supervisor(dict(os.environ), Path.cwd(), lambda line: print(line, flush=True)) as supervisor:
    for number, code in enumerate(sys.argv[1:]):
        supervisor.add(Service(f"child-{number}", (sys.executable, "-c", code), stdin="a word", last=number == 0))
    print("started", flush=True)
    try:
        supervisor.watch()
    except StopRequested as received:
        print(f"stopped by {received}", flush=True)
"""
SLEEPER = "import time; time.sleep(300)"


def stubborn(ready: Path) -> str:
    """Code of a child that ignores SIGTERM and says when it does."""
    return f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open({str(ready)!r}, 'w'); time.sleep(300)"


def tidy(order: Path, word: str, pause: int) -> str:
    """Code of a child that needs ``pause`` seconds to end at SIGTERM and then writes ``word`` to ``order``."""
    write = f"open({str(order)!r}, 'a').write"
    stop = f"signal.signal(signal.SIGTERM, lambda *_: (time.sleep({pause}), {write}({word!r}), sys.exit(0)))"
    return f"import signal, sys, time; {stop}; {write}('ready '); time.sleep(300)"


Start = Callable[..., tuple[subprocess.Popen, str]]


@pytest.fixture
def start() -> Iterator[Start]:
    marks = []

    def run(*children: str) -> tuple[subprocess.Popen, str]:
        marks.append(mark := uuid.uuid4().hex)
        process = subprocess.Popen(
            [sys.executable, "-c", PARENT, *children], cwd=ROOT, env={**os.environ, MARK: mark}, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "started\n"
        wait_until(lambda: len(alive(mark)) == len(children) + 1, 10, "every child runs")
        return process, mark

    yield run
    for mark in marks:
        for pid in alive(mark):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_ends_all_children(start: Start, sig: signal.Signals) -> None:
    parent, mark = start(SLEEPER, SLEEPER, SLEEPER)
    parent.send_signal(sig)
    assert parent.wait(5) == 0
    assert survivors(mark, 0) == {}
    assert parent.stdout.read() == f"stopped by {sig.name}\n"


def test_a_killed_parent_leaves_nobody_behind(start: Start, tmp_path: Path) -> None:
    parent, mark = start(SLEEPER, stubborn(tmp_path / "ready"))
    wait_until((tmp_path / "ready").exists, 5, "the child ignores SIGTERM")
    parent.kill()
    parent.wait()
    assert survivors(mark, 3) == {}


def test_a_child_that_ignores_sigterm_is_killed_within_ten_seconds(start: Start, tmp_path: Path) -> None:
    parent, mark = start(SLEEPER, stubborn(tmp_path / "ready"))
    wait_until((tmp_path / "ready").exists, 5, "the child ignores SIGTERM")
    parent.terminate()
    parent.wait(10)
    assert survivors(mark, 0) == {}


def test_an_impatient_second_signal_does_not_break_the_stop(start: Start, tmp_path: Path) -> None:
    parent, mark = start(SLEEPER, stubborn(tmp_path / "ready"))
    wait_until((tmp_path / "ready").exists, 5, "the child ignores SIGTERM")
    for _ in range(3):
        parent.send_signal(signal.SIGINT)
    assert parent.wait(10) == 0
    assert survivors(mark, 0) == {}


def test_the_last_service_stops_after_the_others(start: Start, tmp_path: Path) -> None:
    order = tmp_path / "order"
    parent, _ = start(*(tidy(order, word, pause) for word, pause in (("last", 0), ("other ", 1))))
    wait_until(lambda: order.exists() and order.read_text().count("ready ") == 2, 5, "both children handle SIGTERM")
    parent.terminate()
    parent.wait(10)
    assert order.read_text() == "ready ready other last"


def test_a_child_that_dies_is_started_again_with_growing_delay_and_gets_its_input_again(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = f"import sys, time; open({str(log)!r}, 'a').write(sys.stdin.read() + '.'); time.sleep(0.2); sys.exit(3)"
    parent, _ = start(code)
    lines = [parent.stdout.readline() for _ in range(3)]
    parent.terminate()
    parent.wait(10)
    assert lines == [f"child-0 ended with status 3; starting again in {pause} s\n" for pause in ("0.5", "1", "2")]
    assert log.read_text().startswith("a word.a word.a word.")


def test_a_killed_child_is_named_with_its_signal(start: Start) -> None:
    parent, mark = start(SLEEPER)
    child = next(pid for pid in alive(mark) if pid != parent.pid)
    os.kill(child, signal.SIGKILL)
    assert parent.stdout.readline() == "child-0 was killed by SIGKILL; starting again in 0.5 s\n"
    wait_until(lambda: len(set(alive(mark)) - {child}) == 2, 5, "a new child runs")
