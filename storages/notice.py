"""What a webhook says about the end of a run, and how the receiver can tell that it comes from us; sends nothing."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

from django.conf import settings

EVENT = "sync.finished"
LONGEST_ERROR = 4000  # characters of the run's error that are told
COUNTERS = ("listed", "created", "existed", "changed", "vanished", "renamed", "ignored", "failed", "total", "bytes", "requests")


def body(run: Any, storage: Any) -> bytes:
    """What is POSTed: compact JSON in ASCII; ``error`` is in words and holds no secret.

    ``kind``: sync or retry, of targets also snapshot, whose folder has a manifest only if it completed. Counters are those
    of the direction; of a snapshot they count tasks.
    """
    value = {
        "event": EVENT,
        "run": {
            "id": run.pk,
            "kind": run.kind,
            "state": run.state,
            "trigger": run.trigger,
            "started_at": run.started_at and run.started_at.isoformat(),
            "finished_at": run.finished_at and run.finished_at.isoformat(),
            "snapshot": {"format": run.format, "folder": run.place} if getattr(run, "place", "") else None,
            "counters": dict(_counters(run)),
            "error": run.error[:LONGEST_ERROR] or None,
        },
        "storage": {
            "id": storage.pk,
            "type": storage.type,
            "direction": _direction(run),
            "title": storage.title,
            "project": storage.project_id,
        },
    }
    return json.dumps(value, separators=(",", ":")).encode()


def _counters(run: Any) -> Iterator[tuple[str, int | None]]:
    return ((name, getattr(run, name)) for name in COUNTERS if hasattr(run, name))


def _direction(run: Any) -> str:
    return str(run._meta.model_name).removesuffix("run")


def headers(run: Any, content: bytes, secret: str, now: int) -> dict[str, str]:
    """Headers of the POST of ``content`` at ``now`` (Unix seconds); without a secret there is no signature.

    X-Quayside-Delivery is the same at every attempt. To verify: HMAC-SHA256 of ``t``, a dot and the body as received,
    keyed with the secret, equals ``v1`` (compared in constant time), and ``t`` is not long ago.
    """
    sent = {
        "Content-Type": "application/json",
        "User-Agent": f"Quayside/{settings.VERSION}",
        "X-Quayside-Event": EVENT,
        "X-Quayside-Delivery": f"{_direction(run)}-{run.pk}",
    }
    if secret:
        digest = hmac.new(secret.encode(), f"{now}.".encode() + content, hashlib.sha256).hexdigest()
        sent["X-Quayside-Signature"] = f"t={now},v1={digest}"
    return sent
