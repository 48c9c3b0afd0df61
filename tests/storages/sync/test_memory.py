"""No file takes the memory of its size: each is read in a process of its own, whose peak is compared with its idle state."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MIB = 1024**2
PROGRAM = r"""
import re, sys
from pathlib import Path
from pyarrow import parquet
from tests.storages.sync.generated import OBJECTS
from storages.sync import read

store, info = OBJECTS[sys.argv[1]](int(sys.argv[2]))
def memory(name):
    return int(re.search(name + r":\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
Path("/proc/self/clear_refs").write_text("5")  # proc(5): forget the peak so far
idle, good, bad = memory("VmRSS"), 0, 0
for row in read.rows(store, info, read.Limits(object_size=0)):
    good, bad = good + (not row.error), bad + bool(row.error)
print(memory("VmHWM") - idle, good, bad)
"""


def measured(kind: str, size: int) -> tuple[int, int, int]:
    """(bytes above idle, good rows, refused rows) of reading about ``size`` bytes."""
    command = [sys.executable, "-c", PROGRAM, kind, str(size)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    above, good, bad = map(int, done.stdout.split())
    return above, good, bad


@pytest.mark.parametrize("kind", ["lines", "array", "table", "lines.gz"])
def test_a_file_of_any_size_is_read_in_the_memory_of_a_few_rows(kind):
    above, good, bad = measured(kind, 300 * MIB)
    assert above < 16 * MIB and good > 150_000 and not bad


@pytest.mark.parametrize("kind", ["one-line", "one-object", "many-lines-of-no-object", "open-quote"])
def test_a_poisonous_file_is_refused_in_bounded_memory(kind):
    above, good, bad = measured(kind, 300 * MIB)
    assert above < (96 if kind == "open-quote" else 48) * MIB and bad == 1 and not good  # csv holds four bytes a character


def test_a_long_text_that_all_rows_of_a_parquet_file_share_is_held_once():
    above, good, bad = measured("shared-text", 2_000)
    assert above < 16 * MIB and good == 2_000 and not bad
