"""Starts a set of processes, restarts those that die, stops them all; knows neither Django nor what they do.

No child outlives this process, however it ends: each asks the kernel to be killed when its parent dies.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1  # prctl(2): signal sent to this process when the thread that created it ends
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
WATCHED = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
FIRST_DELAY, LONGEST_DELAY, STEADY = 0.5, 30.0, 60.0  # seconds: back-off of restarts; alive this long counts as recovered


class StopRequested(Exception):
    """SIGTERM or SIGINT arrived."""


def die_with_parent(parent: int, sig: signal.Signals = signal.SIGKILL) -> None:
    """Has the kernel send ``sig`` to this process when process ``parent`` ends; does nothing outside Linux.

    Call it in the child. A parent that is already gone counts as ended. The kernel watches the creating thread, so
    children must be started from a thread that lives as long as the parent (prctl(2), PR_SET_PDEATHSIG).
    """
    if LIBC is None:
        return
    LIBC.prctl(PR_SET_PDEATHSIG, int(sig), 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), sig)


@dataclass(frozen=True)
class Service:
    """One process to keep alive; those marked ``last`` stop after all others.

    ``stdin`` is written to it at each start; what it prints goes to ``log`` instead of our own output.
    """

    name: str
    command: tuple[str, ...]
    stdin: str = ""
    log: Path | None = None
    last: bool = False


@dataclass
class _Child:
    """A service's current process, or the moment of its next start (monotonic seconds)."""

    service: Service
    process: subprocess.Popen | None = None
    started: float = 0.0
    failures: int = 0
    due: float = 0.0


class Supervisor:
    """A context manager: leaving it stops every child, last the services marked so.

    SIGTERM and SIGINT are blocked inside and taken out by the waiting calls, which raise StopRequested, so that no
    signal is lost and no handler interrupts a start half-way.
    """

    def __init__(self, env: dict[str, str], directory: Path, say: Callable[[str], None]) -> None:
        self.env, self.directory, self.say = env, directory, say
        self.children: list[_Child] = []

    def __enter__(self) -> "Supervisor":
        self.mask = signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
        while signal.sigtimedwait(WATCHED, 0) is not None:
            pass  # an impatient second Ctrl-C
        signal.pthread_sigmask(signal.SIG_SETMASK, self.mask)

    def add(self, service: Service) -> None:
        """Starts ``service`` and keeps it alive during ``watch``."""
        child = _Child(service)
        self.children.append(child)
        self._start(child)

    def run_once(self, command: tuple[str, ...]) -> tuple[int, str]:
        """Runs ``command`` to its end: (exit code, what it printed). Raises StopRequested, after killing it."""
        with self._spawn(command, stdout=subprocess.PIPE) as process:
            try:
                while True:  # a command's output fits the pipe's buffer (64 KiB on Linux)
                    self.wait(1.0)
                    if process.poll() is not None:
                        return process.returncode, process.stdout.read()
            except StopRequested:
                process.kill()
                raise

    def watch(self) -> None:
        """Restarts children that end, each with its own growing delay; returns only by StopRequested."""
        while True:
            now = time.monotonic()
            for child in self.children:
                if child.process is None and child.due <= now:
                    self._start(child)
                elif child.process is not None and child.process.poll() is not None:
                    self._delay(child, now)
            pauses = [child.due - now for child in self.children if child.process is None]
            self.wait(min([*pauses, 60.0]))

    def wait(self, seconds: float) -> None:
        """Sleeps until a child ended or the time is over. Raises StopRequested."""
        received = signal.sigtimedwait(WATCHED, max(seconds, 0.0))
        if received is not None and received.si_signo != signal.SIGCHLD:
            raise StopRequested(signal.Signals(received.si_signo).name)

    def stop(self, grace: float = 7.0) -> None:
        """Sends SIGTERM to every child, SIGKILL after ``grace`` seconds; services marked ``last`` follow within 2 s."""
        self._end([child for child in self.children if not child.service.last], grace)
        self._end([child for child in self.children if child.service.last], 2.0)
        self.children.clear()

    def _end(self, children: list[_Child], grace: float) -> None:
        processes = [child.process for child in children if child.process is not None]
        for process in processes:
            process.terminate()
        until = time.monotonic() + grace
        for process in processes:
            try:
                process.wait(max(until - time.monotonic(), 0.05))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, child: _Child) -> None:
        service, child.started = child.service, time.monotonic()
        stdin = subprocess.PIPE if service.stdin else subprocess.DEVNULL
        with service.log.open("a") if service.log else nullcontext() as log:
            child.process = self._spawn(service.command, stdin=stdin, stdout=log, stderr=log)
        if service.stdin:
            try:
                child.process.stdin.write(service.stdin)
                child.process.stdin.close()
            except BrokenPipeError:
                pass  # it ended at once; watch() sees that

    def _delay(self, child: _Child, now: float) -> None:
        code = child.process.returncode
        child.failures = 0 if now - child.started > STEADY else child.failures
        pause = min(FIRST_DELAY * 2**child.failures, LONGEST_DELAY)
        child.process, child.due, child.failures = None, now + pause, min(child.failures + 1, 10)
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        self.say(f"{child.service.name} {how}; starting again in {pause:g} s")

    def _spawn(self, command: tuple[str, ...], **streams: int | IO[str] | None) -> subprocess.Popen:
        """In a session of its own: Ctrl-C reaches only this process, which then stops the children in order."""
        parent, mask = os.getpid(), self.mask

        def prepare() -> None:
            die_with_parent(parent)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

        return subprocess.Popen(
            command, env=self.env, cwd=self.directory, text=True, start_new_session=True, preexec_fn=prepare, **streams
        )
