"""What the harness puts into its workers: small batches, and a look at its orders around every SQL statement.

Loaded before Django by site/sitecustomize.py; changes no decision of the engine.
"""

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from tests.faults.orders import strike

SIZES = {  # module, name → value: small enough for several batches, pieces and chunks out of a few hundred objects
    ("storages.sync.engine", "BATCH_ROWS"): 60,
    ("storages.sync.engine", "SMALL"): 2048,
    ("storages.splitting", "PAGES"): 2,
    ("storages.unseen", "CHUNK"): 10,
    ("storages.steps", "PAGE"): 20,
    ("storages.outbox", "CHUNK"): 6,
    ("storages.outbox", "SLICE"): 5,
    ("storages.recording", "SLICE"): 7,
    ("storages.outbox", "CLAIM"): timedelta(seconds=2),
    ("storages.outbox", "BACK_OFF"): (0.2, 0.4, 0.8, 1.0, 1.0, 1.0),  # seconds
    ("storages.snapshots.shards", "MOST_TASKS"): 8,
}
ROLE = os.environ.get("FAULTS_ROLE", "")
BUSY = "busy"  # a file of the shared directory: milliseconds to wait for SQLite's lock


def install(directory: Path) -> None:
    """In this process and in all that it forks."""

    def execute(carry_out: Callable, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        strike(directory, "before", str(sql), ROLE)
        result = carry_out(sql, params, many, context)
        strike(directory, "after", str(sql), ROLE)
        return result

    def opened(connection: BaseDatabaseWrapper, **_: Any) -> None:
        if execute not in connection.execute_wrappers:
            connection.execute_wrappers.append(execute)
        for (module, name), value in SIZES.items():
            found = importlib.import_module(module)
            setattr(found, name, min(value, getattr(found, name)))  # AttributeError if it has moved
        if connection.vendor == "postgresql":
            _watch_copies(directory)
        elif (directory / BUSY).exists():
            connection.connection.execute(f"PRAGMA busy_timeout = {int((directory / BUSY).read_text())}")

    connection_created.connect(opened, weak=False)
    _watch_commits(directory)


def _watch_commits(directory: Path) -> None:
    commit = BaseDatabaseWrapper._commit

    def watched(connection: BaseDatabaseWrapper) -> None:
        strike(directory, "before", "COMMIT", ROLE)
        commit(connection)
        strike(directory, "after", "COMMIT", ROLE)

    BaseDatabaseWrapper._commit = watched


def _watch_copies(directory: Path) -> None:
    """Django's wrappers do not see COPY."""
    import psycopg

    if psycopg.Cursor.copy.__module__ == __name__:
        return
    copy = psycopg.Cursor.copy

    @contextmanager
    def watched(cursor: Any, statement: str, *args: Any, **kwargs: Any) -> Iterator[Any]:
        strike(directory, "before", statement, ROLE)
        with copy(cursor, statement, *args, **kwargs) as open_copy:
            yield open_copy
        strike(directory, "after", statement, ROLE)

    watched.__module__ = __name__
    psycopg.Cursor.copy = watched
