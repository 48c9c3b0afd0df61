"""How storages and runs are named for people: states with a colour and a sentence, places, times. Asks the database nothing."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Field

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

NEXT_STEPS = {  # class of a failure: what to do about it
    "misconfigured": "Edit the storage and correct its settings.",
    "egress_denied": "Edit the storage, or have this address allowed on the server (SSRF_ALLOWED_NETWORKS).",
    "bad_credentials": "Edit the storage and enter the credentials again.",
    "decryption": "Edit the storage and enter the credentials again, or give the server back the key that it had.",
    "no_permission": "Give the permission at the provider. Edit → Test connection shows what to grant.",
    "not_found": "Edit the storage: check the names, and that what they stand for still exists.",
    "unreachable": "Check that the storage can be reached from the server, then sync again.",
    "timeout": "Check host and firewall, then sync again.",
    "throttled": "Wait a while, then sync again.",
    "vanished_cap": "Look at the plan before you raise the limit in “Schedule and policies”.",
    "worker_lost": "Sync again: it goes on from where it stopped.",
    "cancelled": "Sync again when you like: it goes on from where it stopped.",
}


def in_labels(text: str, model: type[Storage]) -> str:
    """A message of the API with the labels of settings in place of their names, as a form shows them."""
    labels = {column.name: label_of(column) for column in model._meta.get_fields() if isinstance(column, Field)}
    return re.sub(r"\b[a-z0-9]+(_[a-z0-9]+)+\b", lambda word: f"“{labels[word[0]]}”" if word[0] in labels else word[0], text)


def next_step(code: str) -> str:
    """What to do about a run that ended for the reason ``code``."""
    return NEXT_STEPS.get(code, "Sync again. If it fails once more, the issues of the run and the server's log say why.")


def started_by(run: Mapping[str, Any]) -> str:
    """Who or what began a run, as the API shows it."""
    if run["started_by"]:
        return str(run["started_by"]["email"])
    return {"schedule": "its schedule", "command": "the command line", "demo": "the demo"}.get(run["trigger"], "the API")


def relative(time: datetime, now: datetime) -> str:
    """Such as "3 minutes ago", "in 2 hours" or "just now"."""
    seconds = (time - now).total_seconds()
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if count := int(abs(seconds) // size):
            text = f"{count} {name}{'s' * (count > 1)}"
            return f"in {text}" if seconds > 0 else f"{text} ago"
    return "in a moment" if seconds > 0 else "just now"


def state_of(run: Run | None) -> StateWords:
    return STATES[State(run.state) if run else State.INITIALIZED]


# what turns the direction of the text around it (Unicode Standard Annex #9, "Explicit Directional Formatting Characters")
TURNING = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C])


def title_of(storage: Storage) -> str:
    """Without characters that would turn a sentence around in which it stands."""
    return (storage.title or "").translate(TURNING) or f"Untitled {BACKENDS[storage.type].title}"


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
