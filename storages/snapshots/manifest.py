"""The object that makes a snapshot visible: what it is of, and every shard with its counts and checksum. Knows no storage."""

import json
from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from storages.runs import ExportRun
from storages.snapshots.records import Opening
from tasks.shapes import stamp

KIND, VERSION = "quayside-snapshot", 1


def compose(run: ExportRun, opening: Opening, shards: Sequence[dict[str, Any]], left_out: int) -> bytes:
    """The manifest's JSON. ``name`` of a shard is relative to the manifest, so that a folder may be copied elsewhere.

    ``left_out``: tasks that nothing could have read back. ``users``: the addresses behind the user ids in the shards.
    """
    totals = {name: sum(shard[name] for shard in shards) for name in ("tasks", "annotations", "predictions", "bytes")}
    value = {
        "kind": KIND,
        "version": VERSION,
        "format": run.format,
        "folder": run.place,
        "run": run.pk,
        "started_at": stamp(run.started_at),
        "created_at": stamp(timezone.now()),
        "project": {"id": run.storage.project_id, "title": opening.title, "label_config": opening.label_config},
        "counts": totals | {"shards": len(shards), "left_out": left_out},
        "users": {str(pk): user["email"] for pk, user in sorted(opening.users.items())},
        "shards": list(shards),
    }
    return json.dumps(value, indent=1).encode()


def users_of(body: bytes) -> dict[int, str] | None:
    """The addresses by user id that a manifest of ours tells; None for anything else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if type(value) is not dict or (value.get("kind"), value.get("version")) != (KIND, VERSION):
        return None
    users = value.get("users")
    pairs = users.items() if type(users) is dict else ()
    return {int(pk): mail for pk, mail in pairs if pk.isdecimal() and len(pk) < 20 and type(mail) is str}
