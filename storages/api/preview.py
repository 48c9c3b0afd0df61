"""The files preview: a listing like the one of a sync, cut at a limit and at a time."""

from typing import Any

from storages.base import ImportStorage
from storages.glance import Glance
from storages.own_exports import OwnExports

TIME_LIMIT = 30  # seconds (behaviour.md §8)
MORE = {"key": None, "last_modified": None, "size": None}
TIMED_OUT = {"key": "... storage scan timeout reached ...", "last_modified": None, "size": None}


def preview_files(storage: ImportStorage, limit: int) -> list[dict[str, Any]]:
    """Up to ``limit`` rows of key, last_modified (ISO 8601) and size (bytes).

    A last row of nulls says that there is more; a last row naming the time-out that the scan was ended. Keys that a sync
    would report and not import are no rows. Raises StorageError.
    """
    glance = Glance(storage, TIME_LIMIT)
    rows: list[dict[str, Any]] = []
    exports = OwnExports(storage, glance.client)

    for look in glance.looks(rows.clear):
        own = exports.among(item.key for item in look.page.objects)
        for item in look.page.objects:
            if item.key in own:
                continue
            if len(rows) == limit:
                return [*rows, MORE]
            rows.append({"key": item.key, "last_modified": item.modified, "size": item.size})
    return rows if glance.complete else [*rows, TIMED_OUT]
