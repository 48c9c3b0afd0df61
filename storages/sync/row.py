"""What reading an object gives: rows, where to go on behind each, and the limits that one object is held to.

Knows no format and no storage.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

MIB = 1024**2


class Row(NamedTuple):
    """``index`` counts rows from 0 (inside ``group`` for Parquet), blank lines left out; ``error``: why there is no value.

    ``offset``: the byte of the object behind this row, where reading can go on; 0 where the format cannot be entered there.
    ``whole``: the error is the object's, not that of its first row.
    """

    index: int
    value: Any = None
    error: str = ""
    group: int = 0
    offset: int = 0
    whole: bool = False


class Mark(NamedTuple):
    """The next row to read. ``offset``: the byte where it begins, 0 if the object must be read from its start."""

    group: int = 0
    index: int = 0
    offset: int = 0


START = Mark()


@dataclass(frozen=True)
class Limits:
    """What one object may ask of a worker: sizes in bytes, ``depth`` in nesting levels.

    Rows are streamed, so an object's size costs time, not memory: its limit keeps a stray disk image from holding a
    worker for days, and is the same packed and unpacked (0: no limit for either). The others bound memory.
    """

    object_size: int = 10 * 1024 * MIB
    row_size: int = 16 * MIB
    depth: int = 100
    unpacked_size: int = 10 * 1024 * MIB
    row_group_size: int = 256 * MIB

    @property
    def row_refusal(self) -> str:
        return f"the row is longer than {mib(self.row_size)}; SYNC_MAX_ROW_MB sets this limit"

    @property
    def depth_refusal(self) -> str:
        return f"nested too deeply: more than {self.depth} levels; SYNC_MAX_JSON_DEPTH sets this limit"


def mib(size: int) -> str:
    """A number of bytes for a message: ``16 MiB``."""
    return f"{size / MIB:,.4g} MiB" if size < 10_000 * MIB else f"{size / MIB:,.0f} MiB"
