"""How large and how deep a task in a snapshot may be: what the writer leaves out, and what the import of one has to take.

Knows neither formats nor storages.
"""

from collections.abc import Iterable
from dataclasses import replace
from json import loads

from django.conf import settings

from storages.sync.jsontext import deeper
from storages.sync.row import MIB, Limits, mib

ROW = 64 * MIB  # bytes of a task, also where SYNC_MAX_ROW_MB holds other imports to less: a shard takes as much in memory
DEPTH = 500  # levels of a task: what SYNC_MAX_JSON_DEPTH ends at, for the interpreter ends near 1000
GROUP = 16 * MIB  # of a Parquet row group beside its last task


def largest() -> int:
    """Bytes of the largest task that a snapshot holds."""
    return max(ROW, settings.SYNC_MAX_ROW_MB * MIB)


def widened(limits: Limits) -> Limits:
    """``limits`` of an import, wide enough for every task that ``fault`` lets through."""
    row = max(limits.row_size, largest())
    group = max(limits.row_group_size, 2 * (row + GROUP))
    return replace(limits, row_size=row, depth=max(limits.depth, DEPTH), row_group_size=group)


def fault(size: int, texts: Iterable[str]) -> tuple[str, str] | None:
    """(code, why) of a task that no import could read back, None for all others; ``texts``: its members that are JSON."""
    if size > largest():
        reason = f"it takes {mib(size)}, more than the {mib(largest())} that could be read back; raise SYNC_MAX_ROW_MB"
        return "too_large", f"{reason} where snapshots are written and imported, and write another one"
    if any(_deep(text) for text in texts):
        return "too_deep", f"it is nested in more than {DEPTH} levels, which could not be read back; flatten its data or results"
    return None


def _deep(text: str) -> bool:
    """Brackets are cheap to count; only where they are many is the text parsed. The task itself is a level too."""
    if text.count("[") + text.count("{") < DEPTH:
        return False
    try:
        return deeper(loads(text), DEPTH - 1)
    except RecursionError:
        return True
