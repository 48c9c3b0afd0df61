"""What the API says about a run: JSON made from its columns, and the same shapes for OpenAPI. Asks the database nothing."""

import hashlib
from datetime import datetime
from typing import Any

from rest_framework import serializers

from projects.serializers import Page
from storages.links import Flag
from storages.runs import ACTIVE, ExportRun, ImportRun, Run, State
from storages.snapshots.places import FORMATS

COUNTERS = {  # name in the API: column; a target has no column for some of them
    "listed": "listed",
    "new": "created",
    "existing": "existed",
    "changed": "changed",
    "vanished": "vanished",
    "renamed": "renamed",
    "skipped": "ignored",
    "failed": "failed",
}
PLAIN = ("id", "trigger", "state", "queued_at", "started_at", "finished_at", "attempt", "bytes", "requests", "total")
INNER = ("kind", "storage_id", "storage__type", "started_by_id", "started_by__email", "resumes_id", "heartbeat")
SNAPSHOT = ("format", "place")
POLL_AFTER = 1000  # milliseconds; a worker shows progress every few hundred, and at least every 5 s


def columns(model: type[Run]) -> list[str]:
    """What ``present`` needs of a run of this kind, for ``values()``: no text but the error, nothing encrypted."""
    own = {field.attname for field in model._meta.concrete_fields}
    names = (*PLAIN, *INNER, *SNAPSHOT, *COUNTERS.values(), "error_code", "error")
    return [name for name in names if name in own or "__" in name]


def version(row: dict[str, Any]) -> str:
    """An entity tag (RFC 9110 §8.8.3) that changes whenever the run's JSON does."""
    return f'"{hashlib.blake2b(repr(row).encode(), digest_size=12).hexdigest()}"'


def present(row: dict[str, Any], issues_url: str) -> dict[str, Any]:
    """The JSON of a run (see RunShape) from a row of ``columns``; the same row gives the same JSON at any time."""
    active = row["state"] in ACTIVE
    seconds = _seconds(row["started_at"], row["finished_at"] or row["heartbeat"])
    rate = round(row["listed"] / seconds, 1) if seconds and row["listed"] else None
    left = max(row["total"] - row["listed"], 0) if active and rate and row["total"] is not None else None
    user = {"id": row["started_by_id"], "email": row["started_by__email"]}
    return {name: row[name] for name in PLAIN} | {
        "storage": row["storage_id"],
        "type": row["storage__type"],
        "kind": row.get("kind", ImportRun.Kind.SYNC),
        "snapshot": {"format": row["format"], "folder": row["place"]} if row.get("place") else None,
        "started_by": user if user["id"] else None,
        "resumes": row.get("resumes_id"),
        "counters": {name: row.get(column) for name, column in COUNTERS.items()},
        "updated_at": row["heartbeat"],
        "duration": seconds,
        "rate": rate,
        "eta_seconds": None if left is None else round(left / rate, 1),
        "error": {"code": row["error_code"], "message": row["error"]} if row["error_code"] else None,
        "issues_url": issues_url,
        "poll_after_ms": POLL_AFTER if active else None,
    }


def _seconds(start: datetime | None, end: datetime) -> float | None:
    return None if start is None else max((end - start).total_seconds(), 0.0)


class StartedBy(serializers.Serializer):
    """The account behind a run."""

    id = serializers.IntegerField()
    email = serializers.EmailField()


class RunCounters(serializers.Serializer):
    """What a run has done so far; null: does not exist for targets."""

    listed = serializers.IntegerField(help_text="passed the filter; of a target: objects dealt with; of a snapshot: tasks read")
    new = serializers.IntegerField(help_text="tasks made; of a target: objects written; of a snapshot: tasks written")
    existing = serializers.IntegerField(help_text="tasks that were there already")
    changed = serializers.IntegerField(allow_null=True, help_text="objects that differ from what was imported")
    vanished = serializers.IntegerField(allow_null=True, help_text="objects that were imported and are not there any more")
    renamed = serializers.IntegerField(allow_null=True, help_text="vanished objects whose task went to a new key")
    skipped = serializers.IntegerField(help_text="objects that the filter left out")
    failed = serializers.IntegerField(help_text="objects or rows with an issue")


class RunError(serializers.Serializer):
    """Why a run failed or who cancelled it; what single objects suffered from is in its issues."""

    code = serializers.CharField(help_text="class of the failure, for programs")
    message = serializers.CharField()


class SnapshotShape(serializers.Serializer):
    """Of a run that writes a snapshot."""

    format = serializers.ChoiceField(FORMATS)
    folder = serializers.CharField(help_text="where it lies; until a worker has taken the run, below the target's prefix")


class RunShape(serializers.Serializer):
    """One sync of a storage."""

    id = serializers.IntegerField()
    storage = serializers.IntegerField()
    type = serializers.CharField(help_text="the storage's backend")
    kind = serializers.ChoiceField(choices=ExportRun.Kind.choices, help_text="retry: only objects that had failed before")
    snapshot = SnapshotShape(allow_null=True, help_text="null: the run writes none")
    trigger = serializers.CharField(help_text="what started it: api, page, create, command, demo or schedule; kind tells a retry")
    started_by = StartedBy(allow_null=True)
    state = serializers.ChoiceField(choices=[choice for choice in State.choices if choice[0] != State.INITIALIZED])
    queued_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    updated_at = serializers.DateTimeField(help_text="last sign of life; duration, rate and ETA are as of then")
    finished_at = serializers.DateTimeField(allow_null=True)
    resumes = serializers.IntegerField(allow_null=True, help_text="the unfinished run in whose place it went on")
    attempt = serializers.IntegerField(help_text="1 for the storage's first run")
    counters = RunCounters()
    bytes = serializers.IntegerField(help_text="received from the storage; of a snapshot: written to it")
    requests = serializers.IntegerField(help_text="sent to the storage")
    total = serializers.IntegerField(allow_null=True, help_text="objects (of a snapshot: tasks) to deal with, where known")
    duration = serializers.FloatField(allow_null=True, help_text="seconds")
    rate = serializers.FloatField(allow_null=True, help_text="objects listed per second")
    eta_seconds = serializers.FloatField(allow_null=True, help_text="until the end, at this rate; null: unknown or ended")
    error = RunError(allow_null=True)
    issues_url = serializers.URLField()
    poll_after_ms = serializers.IntegerField(allow_null=True, help_text="when to ask again; null: it has ended")


class IssueShape(serializers.Serializer):
    """One object or row that could not be dealt with, or that a policy has something to say about."""

    id = serializers.IntegerField()
    key = serializers.CharField()
    row = serializers.IntegerField(allow_null=True, help_text="counted from 0 inside the object; null: the whole object")
    code = serializers.CharField(help_text="class of the failure, for programs")
    message = serializers.CharField()
    created_at = serializers.DateTimeField()


class FlaggedShape(serializers.Serializer):
    """An object that changed or vanished, and the tasks that were made from it."""

    key = serializers.CharField()
    flag = serializers.ChoiceField(choices=[choice for choice in Flag.choices if choice[0]])
    tasks = serializers.ListField(child=serializers.IntegerField())


class RunPage(Page):
    """Runs, the newest first."""

    results = RunShape(many=True)


class IssuePage(Page):
    """Issues of a run, the oldest first; at most 10,000 are kept per run."""

    results = IssueShape(many=True)


class FlaggedPage(Page):
    """``count`` and ``page_size`` are in tasks; those of one object that are on the same page are put together."""

    results = FlaggedShape(many=True)
