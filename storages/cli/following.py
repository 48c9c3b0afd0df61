"""Starts a run and follows it to its end: through the queue, or worked on by a thread of this process. Prints to stderr."""

import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from django.db import DatabaseError, connection
from tqdm import tqdm

from storages import importing, jobs, shards, status
from storages.base import ExportStorage, Storage
from storages.cli import printing
from storages.cli.choice import name_of
from storages.runs import ACTIVE, ExportRun, ImportRun, Run, State
from storages.snapshots import write as snapshots

Say = Callable[[str], object]  # prints a line
TRIGGER = "command"
SOON, OFTEN = 0.1, 1.0  # seconds between two looks, at first and later
UNTAKEN = 10.0  # seconds until a run that no worker took is remarked upon
LAST_BATCH = 30.0  # seconds that a stopped worker gets to leave


class Interrupted(Exception):
    """Ctrl-C while a run was followed; the run goes on."""


def queued(storage: Storage, *, retry: bool = False, snapshot: Mapping[str, str] | None = None) -> Run | None:
    """A run that workers take from the queue; None if one is queued or running already. ``snapshot``: its form and name."""
    if isinstance(storage, ExportStorage) and snapshot:
        return jobs.start_snapshot(storage, trigger=TRIGGER, **snapshot)
    if isinstance(storage, ExportStorage):
        return jobs.start_export(storage, trigger=TRIGGER)
    return (jobs.start_retry if retry else jobs.start_import)(storage, trigger=TRIGGER)


def unqueued(storage: Storage, *, retry: bool = False, snapshot: Mapping[str, str] | None = None) -> Run | None:
    """A run that nobody is told of; None if one is queued or running already. ``snapshot``: its form and name."""
    if isinstance(storage, ExportStorage) and snapshot:
        return snapshots.begin(storage, None, TRIGGER, **snapshot)
    if isinstance(storage, ExportStorage):
        return status.begin(storage, user=None, trigger=TRIGGER)
    return importing.begin(storage, None, TRIGGER, retry=retry)


def here(run: Run, say: Say) -> dict[str, Any]:
    """Works on the run in a thread of this process until it has ended; Ctrl-C cancels it. The run as it is then."""
    worker = threading.Thread(target=_work, args=(run,), daemon=True, name="work-here")
    worker.start()
    try:
        follow(run, say, expected=False)
    except Interrupted:
        jobs.cancel(run, None)
        say("stopping …")
    worker.join(LAST_BATCH)
    return printing.shape(run)


def _work(run: Run) -> None:
    """What a worker does; also takes over from workers that died, since there may be no scheduler that sees to it."""
    rows = type(run).objects.filter(pk=run.pk, state__in=ACTIVE)
    try:
        while rows.exists():
            if isinstance(run, ImportRun):
                jobs.run_import(run.pk)
                shards.release_dead()
            else:
                jobs.run_export(run.pk)
                status.reap(ExportRun.objects)
            time.sleep(SOON)
    finally:
        connection.close()


def follow(run: Run, say: Say, *, expected: bool = True) -> dict[str, Any]:
    """Watches the run until it has ended, with a progress bar on a terminal; the run as it is then.

    ``expected``: a worker ought to come. Raises Interrupted at Ctrl-C, LeaseLost when the storage is deleted.
    """
    began, pause = time.monotonic(), SOON
    with _bar() as bar:
        try:
            while (told := _look(run)) is None or told["state"] in ACTIVE:
                if told is not None:
                    _show(bar, told)
                    if expected and told["state"] == State.QUEUED and time.monotonic() - began > UNTAKEN:
                        bar.clear()
                        say(f"no worker has taken run {run.pk} yet; is one running? With --here this process would do the work")
                        expected = False
                time.sleep(pause)
                pause = min(pause * 1.5, OFTEN)
        except KeyboardInterrupt:
            raise Interrupted from None
        _show(bar, told)
    return told


def goes_on(run: Run, storage: Storage) -> str:
    """What to say to somebody who follows no longer."""
    flag = " --export" if isinstance(storage, ExportStorage) else ""
    return (
        f"run {run.pk} goes on without you; 'manage.py storage cancel {name_of(storage)}{flag}' ends it, "
        f"'manage.py storage runs {name_of(storage)}{flag}' tells what became of it"
    )


def _look(run: Run) -> dict[str, Any] | None:
    """The run as it is now, with one small query; None while the database is away."""
    try:
        return printing.shape(run)
    except type(run).DoesNotExist:
        raise status.LeaseLost from None
    except DatabaseError:
        connection.close()
        return None


def _bar() -> tqdm:
    """On stderr, and only if that is a terminal."""
    return tqdm(disable=not sys.stderr.isatty(), unit=" objects", dynamic_ncols=True, miniters=0)


def _show(bar: tqdm, told: dict[str, Any]) -> None:
    counters = told["counters"]
    bar.total = told["total"]
    bar.set_description(told["state"], refresh=False)
    bar.set_postfix({"created": counters["new"], "failed": counters["failed"]}, refresh=False)
    bar.update(counters["listed"] - bar.n)
    bar.refresh()
