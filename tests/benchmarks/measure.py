"""CPU time and memory of process trees, read from /proc; knows no case and no server."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

INTERVAL = 0.02  # seconds between two looks at the work horse
MIB = 1 << 20


def tree_cpu(root: int) -> float:
    """Seconds, user and system, of process ``root`` and all it ever started, the ended ones included.

    Reads again while processes come and go, since one that ends between two reads would count twice or not at all.
    """
    parent = psutil.Process(root)
    for _ in range(20):
        try:
            before = [parent, *parent.children(recursive=True)]
            seconds = sum(sum(process.cpu_times()[:4]) for process in before)
        except psutil.NoSuchProcess:
            continue
        if before == [parent, *parent.children(recursive=True)]:
            return seconds
    raise RuntimeError(f"the processes below {root} never stood still")


def children(pid: int) -> list[int]:
    """The direct children of process ``pid`` that its main thread started (proc_pid_task(5), children)."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def peak_memory(pid: int) -> int:
    """Bytes: the largest resident set that process ``pid`` has had (proc_pid_status(5), VmHWM); 0 if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:")), 0)


@dataclass
class Usage:
    """What a measured block took. Seconds; ``peak`` in MiB, 0 if the worker ran no job."""

    wall: float = 0.0
    app: float = 0.0
    db: float = 0.0
    peak: float = 0.0


class Meter:
    """A context manager around one run; ``usage`` is complete when it is left."""

    def __init__(self, app: int, db: int | None, worker: int) -> None:
        self.app, self.db, self.worker = app, db, worker
        self.usage = Usage()
        self.stop = threading.Event()
        self.watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self.watcher.start()
        self.before = self._cpu()
        self.started = time.monotonic()
        return self

    def __exit__(self, *exc: object) -> None:
        self.usage.wall = time.monotonic() - self.started
        self.stop.set()
        self.watcher.join()
        if exc[0] is not None:
            return
        wait_until(lambda: not children(self.worker), 30, "the work horse ends")  # its time counts once its worker reaped it
        app, db = self._cpu()
        self.usage.app, self.usage.db = app - self.before[0], db - self.before[1]

    def _cpu(self) -> tuple[float, float]:
        return tree_cpu(self.app), tree_cpu(self.db) if self.db else 0.0

    def _watch(self) -> None:
        while not self.stop.wait(INTERVAL):
            for pid in children(self.worker):
                self.usage.peak = max(self.usage.peak, peak_memory(pid) / MIB)


def wait_until(done: Callable[[], object], seconds: float, what: str, pause: float = 0.05) -> None:
    """Returns once ``done()`` is true. Raises TimeoutError naming ``what``."""
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            raise TimeoutError(f"waited {seconds:g} s in vain: {what}")
        time.sleep(pause)
