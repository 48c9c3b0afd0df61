"""The dry run of a source: what a sync would find and do, and why objects are left out. Writes nothing.

An answer is kept to one request: a storage too large for TIME_LIMIT is planned as far as the time went, and says so.
"""

import itertools
import time
from collections.abc import Collection
from dataclasses import dataclass, field

from django.db.models import Count

from storages import beside
from storages.base import ImportStorage
from storages.client import PROBE_NAME, ObjectInfo
from storages.errors import TimedOut
from storages.glance import Glance, Look, OutOfTime
from storages.known import Known, present
from storages.links import ImportLink
from storages.policies import VanishedPolicy
from storages.runs import ImportRun
from storages.steps import in_scope, recipe
from storages.sync import read
from storages.sync.batch import Fate, Todo
from storages.sync.scan import storable
from storages.unseen import candidates

TIME_LIMIT = 50.0  # seconds; clients and proxies commonly wait for 60
SAMPLE = 5  # keys shown of each kind
CHUNK = 1000  # rows read at a time
REASONS = {"filter": "regex_timeout", "name": "name"}  # codes of storages.sync.scan


@dataclass
class Kind:
    """Objects that share a fate: how many, and a few of their keys. ``count`` None: a listing cannot tell."""

    count: int | None = 0
    sample: list[str] = field(default_factory=list)

    def add(self, keys: Collection[str]) -> None:
        self.count = (self.count or 0) + len(keys)
        self.sample += [_shown(key) for key in itertools.islice(keys, SAMPLE - len(self.sample))]


@dataclass
class Vanished(Kind):
    """Objects that were imported and are gone; ``tasks`` were made of them, ``would``: what the policy does with those."""

    tasks: int = 0
    unannotated: int = 0  # of those; no policy deletes the others
    would: str = ""


@dataclass
class Plan:
    """What a sync would find, in objects. ``complete``: the listing came to its end in time, else nothing vanished is known.

    ``listed``, ``new``, ``changed`` and the rest count as the run's counters will: objects that a sync lists only to report
    them (an extension it cannot read, a name it cannot store) are listed too, and ``ignored`` tells why they give no task.
    """

    complete: bool = False
    listed: int = 0
    listing: int = 0  # requests for the listing
    reads: int = 0  # objects whose rows would be read: a request each, more for large or Parquet files
    new: Kind = field(default_factory=Kind)
    existing: int = 0
    changed: int = 0
    unfinished: int = 0  # failed or were read in part before
    vanished: Vanished | None = None
    ignored: dict[str, Kind] = field(default_factory=dict)  # by reason

    def ignore(self, reason: str, keys: Collection[str]) -> None:
        if keys:
            self.ignored.setdefault(reason, Kind()).add(keys)


def draw_up(storage: ImportStorage, time_limit: float = TIME_LIMIT) -> Plan:
    """Lists the storage and compares. Raises StorageError when it cannot be listed."""
    return _Planner(storage, time_limit).draw_up()


class _Planner:
    """One dry run."""

    def __init__(self, storage: ImportStorage, seconds: float) -> None:
        self.storage, self.glance, self.seconds = storage, Glance(storage, seconds), seconds
        self.client, self.whole_objects = self.glance.client, storage.use_blob_urls
        rows = candidates(storage.pk, whole_objects=self.whole_objects)
        newest = rows.order_by("-id").values_list("id", flat=True).first() or 0
        self.rows = rows.filter(id__lte=newest).order_by("id")
        self.known = Known(ImportRun(storage=storage, watermark=newest), self.client, whole_objects=self.whole_objects)
        self.limits, self.newest = recipe(storage).limits, newest
        self.begin()

    def begin(self) -> None:
        """Also anew, when the storage forgot where in its listing we were."""
        self.plan = Plan()
        self.seen = bytearray(self.newest // 8 + 1)  # a bit for each row

    def draw_up(self) -> Plan:
        came = False
        for look in self.glance.looks(self.begin):
            came = True
            self.take(look)
        if not came and not self.glance.complete:
            raise TimedOut(f"the storage did not answer within {self.seconds:.0f} s; check host and firewall")
        self.plan.listing = self.client.meter.requests
        try:
            self.look_around()
            self.plan.vanished = self.find_vanished() if self.glance.complete else None
            self.plan.complete = self.glance.complete
        except OutOfTime:
            pass
        return self.plan

    def take(self, look: Look) -> None:
        """Counts one page."""
        plan, items = self.plan, look.page.objects
        plan.ignore("folder_marker", look.markers)
        plan.ignore("regex", [key for key in look.filtered if not key.endswith(PROBE_NAME)])
        for key, code, _ in look.page.refused:
            plan.ignore(REASONS[code], [key])
        plan.listed += len(items) + len(look.page.refused)
        if not items:
            return
        found = self.known.sort(items)
        for pk in found.seen:
            self.seen[pk >> 3] |= 1 << (pk & 7)
        plan.changed += len(found.changed)
        plan.listed -= len(found.own)
        plan.ignore("own_export", [item.key for item in found.own])
        differing = {todo.item.key for todo in found.fresh}.union(item.key for item in found.changed)
        plan.existing += sum(item.key not in differing for item in items) - len(found.own)
        readable = [todo for todo in found.fresh if self.accepts(todo.item)]
        plan.new.add(_keys(readable, Fate.NEW))
        plan.unfinished += len(_keys(readable, Fate.UNFINISHED))
        plan.reads += 0 if self.whole_objects else len(readable)

    def accepts(self, item: ObjectInfo) -> bool:
        """Whether a sync would read the object; else the reason is noted."""
        refused = not self.whole_objects and read.refusal(item.key, item.size, self.limits)
        if refused:
            self.plan.ignore("extension" if read.refusal(item.key, 0, self.limits) else "size", [item.key])
        return not refused

    def look_around(self) -> None:
        """A few names that the switch for sub-folders, or the prefix, keeps out. Raises OutOfTime."""
        for reason, look in (("sub_folder", beside.below), ("prefix", beside.outside)):
            names = self.glance.ask(look, self.storage, self.client)
            if names or names is None:
                self.plan.ignored[reason] = Kind(None, [_shown(name) for name in (names or [])[:SAMPLE]])

    def find_vanished(self) -> Vanished:
        """The known objects that the listing did not name. Raises OutOfTime."""
        gone, looked_at, last = Vanished(), in_scope(self.storage, self.client), 0
        while chunk := list(self.rows.filter(id__gt=last).values_list("id", "key", "digest")[:CHUNK]):
            if time.monotonic() > self.glance.until:
                raise OutOfTime
            last = chunk[-1][0]
            rows = [(bytes(digest), key) for pk, key, digest in chunk if not self._saw(pk) and looked_at(key)]
            if rows:
                links = present(ImportLink, self.storage.pk, {digest for digest, _ in rows})
                tasks = {bytes(digest): n for digest, n in links.values_list("digest").annotate(n=Count("id"))}
                gone.add([key for digest, key in rows if digest in tasks])
                gone.tasks += sum(tasks.values())
                gone.unannotated += links.filter(task__annotations__isnull=True).count()
        gone.would = self._would(gone)
        return gone

    def _saw(self, pk: int) -> int:
        return self.seen[pk >> 3] >> (pk & 7) & 1

    def _would(self, gone: Vanished) -> str:
        """What becomes of the tasks of vanished objects; the cap is that of storages.vanished."""
        if self.storage.vanished_policy != VanishedPolicy.DELETE:
            return {VanishedPolicy.KEEP: "kept", VanishedPolicy.FLAG: "flagged"}[self.storage.vanished_policy]
        doomed, total = gone.unannotated, ImportLink.objects.filter(storage_id=self.storage.pk).count()
        if gone.tasks and not doomed:
            return "flagged"  # all of them are annotated
        blocked = doomed and (not self.plan.listed or doomed * 100 > total * self.storage.vanished_cap)
        return "blocked by the cap" if blocked else "deleted"


def _keys(todos: list[Todo], fate: Fate) -> list[str]:
    return [todo.item.key for todo in todos if todo.fate is fate]


def _shown(key: str) -> str:
    return key if storable(key) else ascii(key)
