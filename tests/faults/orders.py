"""Orders to a worker to kill itself at an exact place, handed over as a file; knows neither Django nor what it hits.

The n-th event of all workers together that fits is the place, so that a seed gives the same place again.
"""

import fcntl
import json
import os
import re
import signal
from dataclasses import asdict, dataclass
from pathlib import Path

ORDER, GUARD, FIRED = "order.json", "guard", "fired"  # files of the directory that harness and workers share


@dataclass
class Order:
    """``when``: "before" or "after" an SQL statement (or COMMIT, or an event) in which ``match`` is found.

    ``role``: "web" or "worker", what the process is that dies; "" for any.
    """

    when: str
    match: str
    left: int = 1
    whole_worker: bool = False  # also the RQ worker that forked the process
    signal: int = signal.SIGKILL
    role: str = ""


def place(directory: Path, order: Order) -> None:
    """The order counts from now on; one at a time."""
    cancel(directory)
    draft = directory / "draft"
    draft.write_text(json.dumps(asdict(order)))
    draft.rename(directory / ORDER)


def cancel(directory: Path) -> None:
    (directory / ORDER).unlink(missing_ok=True)
    (directory / FIRED).unlink(missing_ok=True)


def fired(directory: Path) -> int | None:
    """The process that carried the order out, None as long as none did."""
    try:
        return int((directory / FIRED).read_text())
    except (FileNotFoundError, ValueError):
        return None


def strike(directory: Path, when: str, text: str, role: str = "") -> None:
    """Called by a worker at every event; does not return if the order says that it dies here."""
    if not (directory / ORDER).exists():
        return
    with (directory / GUARD).open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        try:
            order = Order(**json.loads((directory / ORDER).read_text()))
        except FileNotFoundError:
            return
        if order.when != when or order.role not in ("", role) or not re.search(order.match, text):
            return
        order.left -= 1
        if order.left:
            (directory / ORDER).write_text(json.dumps(asdict(order)))
            return
        (directory / ORDER).unlink()
        (directory / FIRED).write_text(str(os.getpid()))
    if order.whole_worker:
        os.kill(os.getppid(), order.signal)
    os.kill(os.getpid(), order.signal)
