"""What a card says about one storage: its settings in words and its newest run; no secret is read for it.

The settings come with the page; what a sync changes is read again and again, with one query for each side.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from threading import Lock
from typing import Any

from cachetools import TTLCache
from django.db.models import Case, F, OuterRef, Subquery, When
from django.utils import timezone

from projects.models import Project
from storages.api import run_shapes
from storages.backends import BACKENDS
from storages.base import ExportStorage, ImportStorage, Storage, child_relations
from storages.fields import secret_names
from storages.pages import words
from storages.pages.access import SOURCE, TARGET
from storages.runs import ACTIVE, ExportRun, ImportRun, Run, State
from storages.status import DEAD_AFTER

MODELS: dict[str, tuple[type[Storage], type[Run]]] = {SOURCE: (ImportStorage, ImportRun), TARGET: (ExportStorage, ExportRun)}
OWN = ("id", "type", "title", "revision", "synchronizable", "sync_schedule", "next_sync")
RECENT = 0.9  # seconds; less than the time between two looks of a page, so that none sees what was before
DONE = (State.COMPLETED, State.COMPLETED_WITH_ERRORS)


@dataclass(frozen=True)
class Card:
    """One storage as it is now. ``run``: the newest as the API shows it, None before the first; ``own``: its columns."""

    side: str
    base: str  # the path that the storage's own pages begin with
    own: dict[str, Any]
    run: dict[str, Any] | None
    expected: int | None  # how much there was at the last complete sync
    waits: bool  # queued for longer than it takes a worker that is there
    version: str  # another one whenever anything of this has changed
    places: tuple[tuple[str, str], ...] = ()  # where its objects are: label and value

    @property
    def name(self) -> str:
        return f"{self.side}-{self.own['id']}"

    @property
    def title(self) -> str:
        return self.own["title"] or f"Untitled {self.kind}"

    @property
    def kind(self) -> str:
        return BACKENDS[self.own["type"]].title

    @property
    def icon(self) -> str:
        return BACKENDS[self.own["type"]].icon

    @property
    def state(self) -> State:
        return State(self.run["state"]) if self.run else State.INITIALIZED

    @property
    def words(self) -> words.StateWords:
        return words.STATES[self.state]

    @property
    def token(self) -> str:
        """What a page sends back to learn whether it is out of date."""
        return f"{self.name}:{self.state}:{self.version}"

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    @property
    def lines(self) -> list[str]:
        """The error of the newest run; the first line says what happened."""
        return self.run["error_text"].splitlines() if self.run else []

    @property
    def advice(self) -> str:
        return words.next_step(self.run["error"]["code"]) if self.run and self.run["error"] else ""

    @property
    def started(self) -> str:
        return words.relative(self.run["queued_at"], timezone.now()) if self.run else ""

    @property
    def ended(self) -> str:
        return words.relative(self.run["finished_at"], timezone.now()) if self.run and self.run["finished_at"] else ""

    @property
    def due(self) -> str:
        return words.relative(self.own["next_sync"], timezone.now()) if self.own["next_sync"] else ""

    @property
    def started_by(self) -> str:
        return words.started_by(self.run) if self.run else ""

    @property
    def tasks(self) -> int:
        """Tasks of the objects that the newest run saw, new ones and those that were there before."""
        return self.run["counters"]["new"] + self.run["counters"]["existing"] if self.run else 0

    @property
    def total(self) -> int | None:
        """How much the run has to do, if that is known or can be guessed."""
        if not self.run or self.run["total"] is not None:
            return self.run and self.run["total"]
        return self.expected if self.expected and self.run["counters"]["listed"] <= self.expected else None

    @property
    def guessed(self) -> bool:
        return bool(self.run) and self.run["total"] is None

    @property
    def left(self) -> str:
        """How long the run will take, in words; "" where nobody knows."""
        if not self.total or not self.run["rate"]:
            return ""
        return words.duration(max(self.total - self.run["counters"]["listed"], 0) / self.run["rate"])


_guard = Lock()
_recent: TTLCache = TTLCache(maxsize=1024, ttl=RECENT)  # project id → its cards


def load(project: Project) -> list[Card]:
    """The cards of a project, sources first and the oldest first; two queries."""
    return [_card(project, side, row) for side in MODELS for row in _rows(side).filter(project=project)]


def load_recent(project: Project) -> list[Card]:
    """The cards as they were at most RECENT seconds ago: all pages that are open at the same time share one look."""
    with _guard:
        found = _recent.get(project.pk)
    if found is None:
        found = load(project)
        with _guard:
            _recent[project.pk] = found
    return found


def load_placed(project: Project) -> list[Card]:
    """The cards with where their objects are; four queries."""
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for side, (model, _) in MODELS.items():
        hidden = [f"{one.get_accessor_name()}__{name}" for one in child_relations(model) for name in _own_secrets(one)]
        rows = model.objects.with_backend().filter(project=project).defer(*secret_names(model), *hidden)
        found |= {f"{side}-{row.pk}": tuple(words.location_of(row.concrete())) for row in rows}
    return [replace(card, places=found.get(card.name, ())) for card in load(project)]


def _own_secrets(relation: Any) -> list[str]:
    local = {field.name for field in relation.related_model._meta.local_fields}
    return [name for name in secret_names(relation.related_model) if name in local]


def _rows(side: str) -> Any:
    """Rows of columns; the listing of the last complete sync is looked up only while another one runs."""
    model, runs = MODELS[side]
    names = [name for name in run_shapes.columns(runs) if not name.startswith("storage")]
    before = runs.objects.filter(storage=OuterRef("pk"), state__in=DONE, kind=runs.Kind.SYNC).order_by("-id")
    guess = Case(When(run__state__in=ACTIVE, then=Subquery(before.values("listed")[:1])), default=None)
    more = {"problem": F("presign_problem")} if side == SOURCE else {}
    return model.objects.order_by("id").values(*OWN, *(f"run__{name}" for name in names), expected=guess, **more)


def _card(project: Project, side: str, row: dict[str, Any]) -> Card:
    base = f"/projects/{project.pk}/settings/storage/{side}/{row['type']}/{row['id']}"
    run = {name.removeprefix("run__"): value for name, value in row.items() if name.startswith("run__")}
    late = run["state"] == State.QUEUED and run["queued_at"] < timezone.now() - timedelta(seconds=DEAD_AFTER)
    told = None
    if run["id"]:
        run |= {"storage_id": row["id"], "storage__type": row["type"]}
        told = run_shapes.present(run, f"{base}/runs/{run['id']}/issues") | {"error_text": run["error"]}
    own = {name: row[name] for name in OWN} | {"problem": row.get("problem", "")}
    digest = hashlib.blake2b(repr((row, late)).encode(), digest_size=6).hexdigest()
    return Card(side, base, own, told, row["expected"], late, digest)
