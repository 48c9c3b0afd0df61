"""The object that makes a snapshot visible: what it is of, and every shard with its counts and checksum. Writes nothing."""

import json
from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from storages.runs import ExportRun
from storages.snapshots.records import Opening
from tasks.shapes import stamp

VERSION = 1


def compose(run: ExportRun, opening: Opening, shards: Sequence[dict[str, Any]]) -> bytes:
    """The manifest's JSON. ``name`` of a shard is relative to the manifest, so that a folder may be copied elsewhere."""
    totals = {name: sum(shard[name] for shard in shards) for name in ("tasks", "annotations", "predictions", "bytes")}
    value = {
        "kind": "quayside-snapshot",
        "version": VERSION,
        "format": run.format,
        "folder": run.place,
        "run": run.pk,
        "started_at": stamp(run.started_at),
        "created_at": stamp(timezone.now()),
        "project": {"id": run.storage.project_id, "title": opening.title, "label_config": opening.label_config},
        "counts": totals | {"shards": len(shards)},
        "shards": list(shards),
    }
    return json.dumps(value, indent=1).encode()
