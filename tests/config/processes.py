"""Finds processes by a marker in their environment, which every descendant inherits, whatever group or session it is in."""

import os
import time
from pathlib import Path

MARK = "QUAYSIDE_TEST_MARK"


def alive(mark: str) -> dict[int, str]:
    """Command lines of the running processes that carry ``mark``, by process id; zombies do not count."""
    wanted, found = f"{MARK}={mark}".encode(), {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (directory / "environ").read_bytes().split(b"\0") and int(directory.name) != os.getpid():
                found[int(directory.name)] = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def survivors(mark: str, seconds: float) -> dict[int, str]:
    """Who is still alive after at most ``seconds``; returns as soon as nobody is."""
    until = time.monotonic() + seconds
    while (left := alive(mark)) and time.monotonic() < until:
        time.sleep(0.05)
    return left


def wait_until(condition, seconds: float, what: str) -> None:
    """Returns when ``condition()`` is true; fails the test with ``what`` after ``seconds``."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(0.05)
