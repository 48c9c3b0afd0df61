"""Compares a bucket with the database, and the database with what the server has confirmed. Says every difference in words."""

import json
from collections.abc import Collection, Iterable
from typing import Any

from django.conf import settings

from storages.base import ExportStorage
from storages.links import ExportLink, Form, OutboxItem, key_digest
from storages.sync.push import digest, encode
from tasks.models import Annotation
from tasks.payloads import annotation_payloads, task_payloads
from tests.faults.exports.editor import GONE
from tests.faults.exports.port import Port, Target

# of the task inside an annotation's object: as they were when that annotation was written last
PASSING = {"updated_at", "updated_by", "is_labeled", "total_annotations", "cancelled_annotations", "total_predictions"}


def objects(port: Port, target: Target) -> dict[str, bytes]:
    """What lies in the bucket, by key."""
    store = port.world.store
    return {key: store.get(target.bucket, key) for key in store.keys(target.bucket)}


def wanted(target: Target) -> dict[str, dict[str, Any]]:
    """What must lie there, by key, after the rows of the database."""
    rows = Annotation.objects.filter(project_id=target.project)
    if target.form == Form.TASK:
        ending = ".json" if settings.FUTURE_SAVE_TASK_TO_STORAGE_JSON_EXT else ""
        ids = sorted(set(rows.values_list("task_id", flat=True)))
        return {f"{pk}{ending}": payload for pk, payload in task_payloads(ids)}
    ids = sorted(rows.values_list("id", flat=True))
    name = target.template or "{annotation_id}"
    return {name.format(task_id=task, annotation_id=pk): payload for pk, task, payload in annotation_payloads(ids)}


def lost(target: Target, known: dict[int, set[float | None]]) -> list[str]:
    """Confirmed changes that the database does not have."""
    stored = dict(Annotation.objects.filter(project_id=target.project).values_list("id", "lead_time"))
    shown = {pk: stored.get(pk, GONE) for pk in known}
    return [f"annotation {pk} is {shown[pk]}, confirmed was {times}" for pk, times in known.items() if shown[pk] not in times]


def differences(port: Port, target: Target, *, exact: bool = False) -> list[str]:
    """In what the bucket is not as the database says.

    Without ``exact`` what an annotation's object says of its task may be older than the task's newest counters.
    """
    there, must = objects(port, target), wanted(target)
    found = [f"{key} is missing" for key in must.keys() - there.keys()]
    found += _extra(port, target, there, there.keys() - must.keys())
    for key in must.keys() & there.keys():
        body = json.loads(there[key])
        if there[key] != encode(must[key]) if exact or target.form == Form.TASK else _lasting(body) != _lasting(must[key]):
            found.append(f"{key} is stale: {_apart(body, must[key])}")
    return [*found, *_links(target, there, must.keys()), *_leftovers(target)]


def _lasting(payload: dict[str, Any]) -> dict[str, Any]:
    task = {name: value for name, value in payload["task"].items() if name not in PASSING}
    return {**json.loads(json.dumps(payload)), "task": task}


def _apart(there: dict[str, Any], must: dict[str, Any]) -> str:
    names = [name for name in must if there.get(name) != must[name]]
    return ", ".join(f"{name} {str(there.get(name))[:200]} not {str(must[name])[:200]}" for name in names[:2])


def _extra(port: Port, target: Target, there: dict[str, bytes], keys: Iterable[str]) -> list[str]:
    """Where deleting is not allowed, objects of what was deleted stay, and nothing was ever deleted."""
    if target.may_delete:
        return [f"{key} is too much" for key in keys]
    own = set(map(str, json_ids(target, there)))
    asked = [
        one.path for one in port.world.store.requests if one.method == "DELETE" and one.path.startswith(f"/{target.bucket}/")
    ]
    found = [f"{key} is nothing that was ever annotated" for key in keys if key not in own]
    return found + [f"DELETE {path} was sent" for path in asked if path.rsplit("/", 1)[1].isdigit()]


def json_ids(target: Target, there: dict[str, bytes]) -> list[int]:
    """The subjects that the objects are about, by their own word, if a link says the same."""
    links = dict(ExportLink.objects.filter(storage_id=target.storage).values_list("subject", "key"))
    return [pk for pk in (json.loads(body)["id"] for body in there.values()) if pk in links]


def _links(target: Target, there: dict[str, bytes], present: Collection[str]) -> list[str]:
    """Every object is known to be ours, with the digest of what it holds; and nothing else is, where we may delete."""
    if not ExportStorage.objects.filter(pk=target.storage).exists():
        return []
    links = {key: (bytes(at), bytes(of)) for key, at, of in _rows(target)}
    found = [f"{key} has no link" for key in there.keys() - links.keys()]
    shared = [key for key in present if key in there and key in links]
    found += [f"the link of {key} has another digest" for key in shared if links[key][1] != digest(there[key])]
    found += [f"the link of {key} is indexed wrongly" for key, (at, _) in links.items() if at != key_digest(key)]
    return found + ([f"{key} has a link and is not there" for key in links.keys() - there.keys()] if target.may_delete else [])


def _rows(target: Target) -> Iterable[tuple[str, bytes, bytes]]:
    return ExportLink.objects.filter(storage_id=target.storage).values_list("key", "key_digest", "digest")


def _leftovers(target: Target) -> list[str]:
    rows = OutboxItem.objects.filter(storage_id=target.storage)
    return [f"left in the outbox: {form} {subject}" for form, subject in rows.values_list("form", "subject")[:5]]
