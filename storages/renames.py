"""Gives the tasks of vanished objects to new objects of the same size and version, so that a renamed file keeps its labels."""

from collections.abc import Callable

from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from storages import shards, status, unseen
from storages.client import Client
from storages.links import Flag, ImportLink, ObjectState, key_digest
from storages.runs import ImportRun
from storages.shards import ParkedObject, Seen, Shard
from tasks.models import Task

Pair = tuple[ImportLink | ObjectState, ParkedObject]


def follow(shard: Shard, client: Client, in_scope: Callable[[str], bool]) -> None:
    """Matches every vanished object with at most one new one. Raises LeaseLost."""
    run, whole_objects = shard.run, shard.run.storage.use_blob_urls
    for rows in unseen.walk(run, whole_objects=whole_objects, in_scope=in_scope, after=int(shard.cursor or 0)):
        with transaction.atomic():
            shards.advance(shard, cursor=str(rows[-1].pk) if rows else None)
            pairs = _pairs(run, rows, sure=client.capabilities.content_versions)
            for old, new in pairs:
                (_move_object if whole_objects else _move_file)(run, client, old, new)
            Seen.objects.bulk_create(Seen(run=run, low=old.pk, high=old.pk) for old, _ in pairs)
            ParkedObject.objects.filter(pk__in=[new.pk for _, new in pairs]).delete()
            existed = len(pairs) if whole_objects else sum(old.rows for old, _ in pairs)
            status.advance(run, renamed=len(pairs), settled=len(pairs), existed=existed)
    with transaction.atomic():
        shards.finish(shard)


def _pairs(run: ImportRun, rows: list[ImportLink | ObjectState], *, sure: bool) -> list[Pair]:
    """Each parked object goes to the oldest row of its content.

    Versions that are made of time and size are not ``sure`` to tell contents apart: they count only where one object of the
    storage has them, and one new one.
    """
    versions = {row.etag for row in rows if row.etag}
    parked: dict[tuple[str, int], list[ParkedObject]] = {}
    for one in ParkedObject.objects.filter(run=run, etag__in=versions).order_by("-id"):
        parked.setdefault((one.etag, one.size), []).append(one)
    if parked and not sure:
        same = type(rows[0]).objects.filter(storage_id=run.storage_id, etag__in={etag for etag, _ in parked}).order_by()
        shared = same.values("etag", "size").annotate(n=Count("id")).filter(n__gt=1).values_list("etag", "size")
        parked = {version: ones for version, ones in parked.items() if len(ones) == 1 and version not in set(shared)}
    return [(row, waiting.pop()) for row in rows if (waiting := parked.get((row.etag, row.size)))]


def _move_object(run: ImportRun, client: Client, link: ImportLink, new: ParkedObject) -> None:
    old_uri, new_uri = client.uri(link.key), client.uri(new.key)
    task = Task.objects.select_for_update(no_key=True).get(pk=link.task_id)
    task.data = {name: new_uri if value == old_uri else value for name, value in task.data.items()}
    task.updated_at = timezone.now()
    task.save(update_fields=["data", "updated_at"])
    changes = {"digest": key_digest(new.key), "key": new.key, "modified": new.modified, "flag": Flag.NONE}
    ImportLink.objects.filter(pk=link.pk).update(**changes)


def _move_file(run: ImportRun, client: Client, state: ObjectState, new: ParkedObject) -> None:
    digest = key_digest(new.key)
    links = ImportLink.objects.filter(storage_id=run.storage_id, digest=bytes(state.digest))
    links.update(digest=digest, key=new.key, flag=Flag.NONE)
    ObjectState.objects.filter(pk=state.pk).update(digest=digest, key=new.key, modified=new.modified)
