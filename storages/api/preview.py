"""The files preview: a listing like the one of a sync, cut at a limit and at a time."""

import time
from typing import Any

from storages.base import ImportStorage
from storages.sync.patterns import matcher
from storages.sync.scan import scan

TIME_LIMIT = 30  # seconds (behaviour.md §8)
MORE = {"key": None, "last_modified": None, "size": None}
TIMED_OUT = {"key": "... storage scan timeout reached ...", "last_modified": None, "size": None}


def preview_files(storage: ImportStorage, limit: int) -> list[dict[str, Any]]:
    """Up to ``limit`` rows of key, last_modified (ISO 8601) and size (bytes).

    A last row of nulls says that there is more; a last row naming the time-out that the scan was ended. Raises StorageError.
    """
    client = storage.client()
    until = time.monotonic() + TIME_LIMIT
    rows: list[dict[str, Any]] = []
    for page in scan(client, recursive=storage.recursive, passes=matcher(storage.regex_filter, client.subject)):
        for item in page.objects:
            if len(rows) == limit:
                return [*rows, MORE]
            rows.append({"key": item.key, "last_modified": item.modified, "size": item.size})
        if time.monotonic() > until:
            return [*rows, TIMED_OUT]
    return rows
