"""CPU time and memory are counted for whole trees of processes, the ended ones too."""

import os
import subprocess
import sys
import time

import pytest

from tests.benchmarks.measure import Meter, children, peak_memory, tree_cpu, wait_until

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


def test_a_meter_sees_the_job_that_its_worker_ran():
    job = f"block = bytearray(60 << 20)\n{BURN}"
    worker = f"import subprocess, sys\ninput()\nsubprocess.run([sys.executable, '-c', {job!r}])\nprint(flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", worker], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        with Meter(process.pid, None, process.pid) as meter:
            process.stdin.write(b"go\n")
            process.stdin.flush()
            process.stdout.readline()
        process.kill()
    assert meter.usage.app >= 0.25
    assert meter.usage.peak >= 60
    assert meter.usage.db == 0


def test_waiting_ends_with_an_error_that_says_for_what():
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="the ship comes in"):
        wait_until(lambda: False, 0.1, "the ship comes in")
    assert time.monotonic() - started < 5
