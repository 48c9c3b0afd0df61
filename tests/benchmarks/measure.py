"""CPU time and memory of process trees, read from /proc; knows no case and no server."""

import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

INTERVAL = 0.02  # seconds between two looks at the work horses
QUIET = 0.1  # CPUs: what uses less than this has nothing left to do
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


def horses(worker: int) -> set[int]:
    """The processes in which an RQ worker runs jobs. RQ makes each a process group of its own, but not its scheduler."""
    found = set()
    for pid in children(worker):
        try:
            if os.getpgid(pid) == pid:
                found.add(pid)
        except ProcessLookupError:
            continue
    return found


def settle(roots: Iterable[int], seconds: float, quiet: float = QUIET) -> None:
    """Returns once these trees are idle: what starts, cleans up or vacuums is no part of the next run. Gives up in time."""
    until, watched = time.monotonic() + seconds, list(roots)
    last = sum(tree_cpu(root) for root in watched)
    while time.monotonic() < until:
        time.sleep(1)
        now = sum(tree_cpu(root) for root in watched)
        if now - last < quiet:
            return
        last = now


def machine_cpu() -> float:
    """Seconds, user and system, of all processes of this machine."""
    times = psutil.cpu_times()
    return times.user + times.nice + times.system


@dataclass
class Usage:
    """What a measured block took. Seconds; ``peak`` in MiB: of the largest job, 0 if no worker ran any.

    ``others``: CPUs that processes which are not the benchmark's kept busy meanwhile.
    """

    wall: float = 0.0
    app: float = 0.0
    db: float = 0.0
    peak: float = 0.0
    others: float = 0.0

    @property
    def cpu(self) -> float:
        return self.app + self.db

    @property
    def cpus(self) -> float:
        """How many processors app and database used."""
        return self.cpu / self.wall


class Meter:
    """A context manager around one run; ``usage`` is complete when it is left. ``workers``: RQ workers below ``app``."""

    def __init__(self, app: int, db: int | None, workers: Iterable[int]) -> None:
        self.app, self.db, self.workers = app, db, list(workers)
        self.usage = Usage()
        self.stop = threading.Event()
        self.watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self.watcher.start()
        self.before = self._cpu()
        self.started = time.monotonic()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop.set()
        self.watcher.join()
        if exc[0] is not None:
            return
        wait_until(lambda: not self._horses(), 30, "the work horses end")  # their time counts once their worker reaped them
        self.usage.wall = time.monotonic() - self.started
        app, db, ours, all_ = (now - before for now, before in zip(self._cpu(), self.before, strict=True))
        self.usage.app, self.usage.db = app, db
        self.usage.others = max(all_ - ours - db, 0.0) / self.usage.wall

    def _horses(self) -> set[int]:
        return set().union(*map(horses, self.workers))

    def _cpu(self) -> tuple[float, float, float, float]:
        """Of the app, the database (which is nobody's child), this process and all it started, and the machine."""
        return tree_cpu(self.app), tree_cpu(self.db) if self.db else 0.0, tree_cpu(os.getpid()), machine_cpu()

    def _watch(self) -> None:
        while not self.stop.wait(INTERVAL):
            for pid in self._horses():
                self.usage.peak = max(self.usage.peak, peak_memory(pid) / MIB)


def wait_until(done: Callable[[], object], seconds: float, what: str, pause: float = 0.05) -> None:
    """Returns once ``done()`` is true. Raises TimeoutError naming ``what``."""
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            raise TimeoutError(f"waited {seconds:g} s in vain: {what}")
        time.sleep(pause)
