"""How storages and runs are named for people: states with a colour and a sentence, places, times. Asks the database nothing."""

from typing import NamedTuple

from storages.api.forms import label_of
from storages.backends import BACKENDS
from storages.base import Storage
from storages.runs import Run, State


class StateWords(NamedTuple):
    """``tone``: class of a badge; ``icon``: a name of heroicons; ``means``: what the state says, in a sentence."""

    label: str
    tone: str
    icon: str
    means: str


STATES = {
    State.INITIALIZED: StateWords("Not synced yet", "", "minus-circle", "Nothing was synced so far. Press Sync to begin."),
    State.QUEUED: StateWords("Queued", "busy", "clock", "The sync waits for a free worker."),
    State.IN_PROGRESS: StateWords("Syncing", "busy", "arrow-path", "A worker is at it. You can leave this page."),
    State.COMPLETED: StateWords("Completed", "good", "check-circle", "The last sync reached the end without an error."),
    State.COMPLETED_WITH_ERRORS: StateWords(
        "Completed with errors", "warn", "exclamation-triangle", "All but some objects were synced. The issues say which and why."
    ),
    State.FAILED: StateWords("Failed", "bad", "x-circle", "The last sync could not go on. What it had saved is kept."),
    State.CANCELLED: StateWords("Cancelled", "warn", "no-symbol", "Somebody ended the last sync. What it had saved is kept."),
}


def state_of(run: Run | None) -> StateWords:
    return STATES[State(run.state) if run else State.INITIALIZED]


def title_of(storage: Storage) -> str:
    return storage.title or f"Untitled {BACKENDS[storage.type].title}"


def location_of(storage: Storage) -> list[tuple[str, str]]:
    """Label and value of the columns that say where the objects are; ``storage`` is concrete. Empty ones are left out."""
    names = BACKENDS[storage.type].location
    return [(label_of(storage._meta.get_field(name)), str(getattr(storage, name))) for name in names if getattr(storage, name)]


def duration(seconds: float | None) -> str:
    """Such as "3 s", "2 min 5 s" or "1 h 20 min"; "" for None."""
    if seconds is None:
        return ""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
