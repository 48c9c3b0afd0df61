"""What a source's policy says about objects that are not there any more; never more than the cap, never annotated tasks."""

from collections.abc import Callable, Sequence

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from storages import shards, status, unseen
from storages.errors import StorageError
from storages.known import present
from storages.links import Flag, ImportLink, ObjectState
from storages.policies import VanishedPolicy
from storages.reports import notify
from storages.runs import ImportRun
from storages.shards import Seen, Shard
from tasks.deletion import delete_tasks

GONE = "the object is not there any more"


class CapExceeded(StorageError):
    """More tasks would be deleted than the storage allows."""

    code = "vanished_cap"


def sweep(shard: Shard, in_scope: Callable[[str], bool]) -> None:
    """The last piece of a run: counts what vanished and does as the policy says. Raises CapExceeded, LeaseLost."""
    run, whole_objects = shard.run, shard.run.storage.use_blob_urls
    run.storage.refresh_from_db(fields=["vanished_policy", "vanished_cap"])  # somebody may have had second thoughts
    if run.storage.vanished_policy == VanishedPolicy.DELETE:
        _refuse_too_many(run, in_scope)
    _restore(run, whole_objects)
    for rows in unseen.walk(run, whole_objects=whole_objects, in_scope=in_scope, after=int(shard.cursor or 0)):
        with transaction.atomic():
            shards.advance(shard, cursor=str(rows[-1].pk) if rows else None)
            gone = _with_tasks(run, rows)
            if run.storage.vanished_policy != VanishedPolicy.KEEP:
                _deal_with(run, gone)
            status.advance(run, vanished=len(gone))
    with transaction.atomic():
        shards.finish(shard)


def _with_tasks(run: ImportRun, rows: Sequence[ImportLink | ObjectState]) -> list[ImportLink | ObjectState]:
    """Forgets objects that never gave a task, or whose tasks were all deleted."""
    if not rows or isinstance(rows[0], ImportLink):
        return list(rows)
    linked = present(ImportLink, run.storage_id, [bytes(row.digest) for row in rows]).values_list("digest", flat=True)
    alive = {bytes(digest) for digest in linked.distinct()}
    ObjectState.objects.filter(pk__in=[row.pk for row in rows if bytes(row.digest) not in alive]).delete()
    return [row for row in rows if bytes(row.digest) in alive]


def _deal_with(run: ImportRun, rows: Sequence[ImportLink | ObjectState]) -> None:
    digests = [bytes(row.digest) for row in rows]
    if not digests:
        return
    links = present(ImportLink, run.storage_id, digests)
    deleted = run.storage.vanished_policy == VanishedPolicy.DELETE
    if deleted:
        tasks = list(links.values_list("task_id", flat=True))
        delete_tasks(run.storage.project_id, tasks, annotated=False)
    kept = {bytes(digest) for digest in links.values_list("digest", flat=True).distinct()}
    fresh = {bytes(digest) for digest in links.exclude(flag=Flag.VANISHED).values_list("digest", flat=True).distinct()}
    links.update(flag=Flag.VANISHED)
    lost = [row for row in rows if bytes(row.digest) not in kept]
    ObjectState.objects.filter(pk__in=[row.pk for row in lost if isinstance(row, ObjectState)]).delete()
    reason = "its tasks have annotations, so they are kept and marked" if deleted else "its tasks are kept and marked"
    notify(run, [row.key for row in rows if bytes(row.digest) in fresh], Flag.VANISHED, f"{GONE}; {reason}")
    notify(run, [row.key for row in lost], Flag.VANISHED, f"{GONE}; its tasks were deleted")


def _restore(run: ImportRun, whole_objects: bool) -> None:
    """Takes the mark from files that are there again ("Files" does so while listing)."""
    if whole_objects:
        return
    marked = ImportLink.objects.filter(storage_id=run.storage_id, flag=Flag.VANISHED)
    digests = list({bytes(digest) for digest in marked.values_list("digest", flat=True).distinct()})
    for start in range(0, len(digests), unseen.CHUNK):
        _restore_some(run, digests[start : start + unseen.CHUNK])


def _restore_some(run: ImportRun, digests: Sequence[bytes]) -> None:
    seen = Seen.objects.filter(run=run, low__lte=OuterRef("pk"), high__gte=OuterRef("pk"))
    states = present(ObjectState, run.storage_id, digests)
    back = states.filter(Exists(seen) | Q(run_id=run.pk)).values_list("digest", flat=True)
    if back:
        present(ImportLink, run.storage_id, {bytes(digest) for digest in back}).update(flag=Flag.NONE)


def _refuse_too_many(run: ImportRun, in_scope: Callable[[str], bool]) -> None:
    """Raises CapExceeded if the listing was empty, or if too many tasks would go."""
    whole_objects = run.storage.use_blob_urls
    doomed = 0
    for rows in unseen.walk(run, whole_objects=whole_objects, in_scope=in_scope):
        digests = [bytes(row.digest) for row in rows]
        links = present(ImportLink, run.storage_id, digests) if digests else ImportLink.objects.none()
        doomed += links.filter(task__annotations__isnull=True).count()
    if not doomed:
        return
    run.refresh_from_db(fields=["listed"])
    total, cap = ImportLink.objects.filter(storage_id=run.storage_id).count(), run.storage.vanished_cap
    if not run.listed:
        raise CapExceeded(
            f"the listing is empty, although {total:,} tasks came from this storage; nothing was deleted. Check bucket, "
            "prefix and filter; if the objects are really gone, delete the tasks in the project"
        )
    if doomed * 100 > total * cap:
        raise CapExceeded(
            f"{doomed:,} of the storage's {total:,} tasks would be deleted because their objects vanished, more than "
            f"vanished_cap={cap} percent; nothing was deleted. Raise vanished_cap if this is right, and sync again"
        )
