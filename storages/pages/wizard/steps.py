"""The steps of the wizard: their names, the fields each asks for, and which of them can be opened. Derived from declarations."""

from collections.abc import Collection
from typing import NamedTuple

from storages.api import forms
from storages.base import Backend
from storages.pages.access import SOURCE, TARGET

PROVIDER, CONNECTION, SETTINGS, NAMES, REVIEW = "provider", "connection", "settings", "names", "review"
TITLES = {
    PROVIDER: "Select Provider",
    CONNECTION: "Configure Connection",
    SETTINGS: "Import Settings & Preview",
    NAMES: "Name Objects",
    REVIEW: "Review & Confirm",
}
FLOWS = {SOURCE: (PROVIDER, CONNECTION, SETTINGS, REVIEW), TARGET: (PROVIDER, CONNECTION, NAMES)}
IMPORT_FIELDS = ("prefix", "use_blob_urls", "regex_filter", "recursive_scan")  # of the step SETTINGS, where a source has them


class Mark(NamedTuple):
    """A step as the stepper shows it; ``step`` is "" where it cannot be opened yet."""

    number: int
    title: str
    step: str
    done: bool
    current: bool


def fields_of(backend: Backend, side: str, step: str) -> list[str]:
    """Names of the settings that ``step`` asks for."""
    declared = backend.import_form if side == SOURCE else backend.export_form
    own = [name.rstrip("*") for row in declared for name in row]
    match step:
        case "connection":
            return [name for name in own if side == TARGET or name not in IMPORT_FIELDS]
        case "settings":
            return [name for name in own if name in IMPORT_FIELDS]
        case "names":
            return [name for row in forms.NAMING_ROWS for name in row]
    return []


def up_to(backend: Backend, side: str, step: str) -> list[str]:
    """The same of ``step`` and all before it."""
    flow = FLOWS[side]
    before = flow[: flow.index(step) + 1] if step in flow else flow
    return [name for one in before for name in fields_of(backend, side, one)]


def step_of(backend: Backend, side: str, name: str) -> str:
    """The step that asks for the setting ``name``, "" if none does."""
    return next((step for step in FLOWS[side] if name in fields_of(backend, side, step)), "")


def marks(side: str, step: str, open_steps: Collection[str]) -> list[Mark]:
    """The stepper at ``step``; the first is left out where it cannot be chosen."""
    flow = [one for one in FLOWS[side] if one != PROVIDER or PROVIDER in open_steps or step == PROVIDER]
    at = flow.index(step)
    return [
        Mark(place + 1, TITLES[one], one if one in open_steps else "", place < at, place == at) for place, one in enumerate(flow)
    ]
