"""CPU time and memory are counted for whole trees of processes, the ended ones too."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.benchmarks.measure import Meter, children, peak_memory, settle, tree_cpu, wait_until

BURN = "import time\nwhile time.process_time() < 0.3: pass"


def test_the_time_of_a_child_that_has_ended_still_counts():
    before = tree_cpu(os.getpid())
    subprocess.run([sys.executable, "-c", BURN], check=True)
    assert tree_cpu(os.getpid()) - before >= 0.25


def test_the_peak_outlives_the_memory_itself():
    code = "block = bytearray(80 << 20); del block; print(1, flush=True); import time; time.sleep(30)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        peak = peak_memory(process.pid)
        assert process.pid in children(os.getpid())
        process.kill()
    assert peak >= 80 << 20
    assert peak_memory(process.pid) == 0


WORKER = """
import os, subprocess, sys
input()
scheduler = subprocess.Popen([sys.executable, "-c", "block = bytearray(150 << 20); import time; time.sleep(30)"])
subprocess.run([sys.executable, "-c", sys.argv[1]], preexec_fn=os.setpgrp)
print(flush=True)
input()
"""


def test_a_meter_sees_the_jobs_of_every_worker_and_not_their_scheduler():
    jobs = [f"block = bytearray({size} << 20)\n{BURN}" for size in (60, 90)]
    pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    workers = [subprocess.Popen([sys.executable, "-c", WORKER, job], process_group=0, **pipe) for job in jobs]
    try:
        with Meter(os.getpid(), None, [worker.pid for worker in workers]) as meter:
            for worker in workers:
                worker.stdin.write(b"go\n")
                worker.stdin.flush()
            for worker in workers:
                worker.stdout.readline()
    finally:
        for worker in workers:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.communicate()
    assert meter.usage.app >= 0.5
    assert 90 <= meter.usage.peak < 150
    assert meter.usage.db == 0


def test_settling_ends_when_nothing_is_left_to_do_or_time_is_up():
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        started = time.monotonic()
        settle([process.pid], 2, quiet=0.01)  # a busy machine leaves little to it
        assert time.monotonic() - started >= 2
        process.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        settle([process.pid], 30)
        assert time.monotonic() - started < 10
        process.kill()


def test_waiting_ends_with_an_error_that_says_for_what():
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="the ship comes in"):
        wait_until(lambda: False, 0.1, "the ship comes in")
    assert time.monotonic() - started < 5
