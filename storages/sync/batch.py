"""What the engine hands over to be saved as a whole: plain values, no behaviour but counting."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from storages.client import ObjectInfo
from storages.sync.read import START, Mark


class Fate(StrEnum):
    """Why an object is to be imported."""

    NEW = "new"
    CHANGED = "changed"  # since it was imported
    UNFINISHED = "unfinished"  # it failed before, or was read in part


class Todo(NamedTuple):
    """An object to import, its rows from ``mark`` on; ``refused`` of those before were. ``digest``: the Sink's name of it."""

    item: ObjectInfo
    digest: bytes
    mark: Mark = START
    refused: int = 0
    fate: Fate = Fate.NEW


class Draft(NamedTuple):
    """A row on its way to become a task; a whole object is row 0 of group 0."""

    item: ObjectInfo
    digest: bytes
    row_group: int
    row_index: int
    task: Any
    fate: Fate = Fate.NEW


class Finding(NamedTuple):
    """Why an object (``row`` None) or one of its rows became no task."""

    key: str
    row: int | None
    code: str
    message: str


class Outcome(NamedTuple):
    """How far an object was read: to its end, or up to ``mark`` so far. ``refused``: rows that became no task."""

    item: ObjectInfo
    digest: bytes
    refused: int
    mark: Mark | None = None
    fate: Fate = Fate.NEW


@dataclass
class Sorted:
    """A page of objects held against what is known: what is to be imported, and what became of the others."""

    fresh: list[Todo] = field(default_factory=list)
    parked: list[ObjectInfo] = field(default_factory=list)  # new, but perhaps renamed
    existed: int = 0  # tasks that were there before the run
    changed: list[ObjectInfo] = field(default_factory=list)  # differ from what was imported
    settled: int = 0  # objects whose fate is decided: known ones
    seen: list[int] = field(default_factory=list)  # ids of the rows that stand for known objects
    flagged: list[ObjectInfo] = field(default_factory=list)  # changed, to be marked
    renewed: list[tuple[int, ObjectInfo]] = field(default_factory=list)  # changed whole objects: their version is taken over
    restored: list[bytes] = field(default_factory=list)  # digests whose mark is out of date
    own: list[ObjectInfo] = field(default_factory=list)  # written by targets of this server; to be ignored


@dataclass
class Batch:
    """What one transaction saves. The counters of a page come with its end, so that a page listed twice counts once."""

    drafts: list[Draft] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    pages: list[Sorted] = field(default_factory=list)
    listed: int = 0
    ignored: int = 0
    settled: int = 0
    cursor: str | None = None  # None: the listing did not move
    done: bool = False  # the listing has ended
    weight: int = 0  # bytes of the drafts

    def empty(self) -> bool:
        return not (self.drafts or self.findings or self.outcomes or self.pages or self.done or self.cursor)
