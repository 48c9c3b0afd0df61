"""Set-based writes of the engine's batches: tasks, links, states, issues and the run's cursor in one transaction."""

from collections.abc import Collection, Iterator, Sequence

from django.db import connection, transaction
from django.db.models import Count, QuerySet
from django.utils import timezone

from storages import status
from storages.client import ObjectInfo
from storages.links import ImportLink, ObjectState, key_digest
from storages.runs import ImportIssue, ImportRun
from storages.sync.engine import Batch, Draft
from tasks.bulk import insert_rows
from tasks.services import create_tasks

LINK_COLUMNS = ("storage_id", "task_id", "digest", "row_group", "row_index", "key", "size", "modified", "etag")
STATE_COLUMNS = ("storage_id", "digest", "key", "size", "modified", "etag", "state", "rows")
ISSUE_COLUMNS = ("run_id", "key", "row", "code", "message", "created_at")
ISSUE_LIMIT = 10_000  # issues kept per run; the run's counter goes on


class BatchStore:
    """The Sink of one run: saves its batches under its lease. ``created`` counts the tasks."""

    def __init__(self, run: ImportRun, lease: str, *, whole_objects: bool) -> None:
        self.run, self.lease, self.whole_objects = run, lease, whole_objects
        self.project = run.storage.project
        self.issues = 0

    def unknown(self, items: list[ObjectInfo]) -> tuple[list[ObjectInfo], int]:
        """Files: objects without a link. Tasks: objects not read to their end, or changed since."""
        by_digest = {key_digest(item.key): item for item in items}
        if self.whole_objects:
            linked = _present(ImportLink, self.run.storage_id, by_digest).values_list("digest", flat=True)
            known = {bytes(digest) for digest in linked}
            return [item for digest, item in by_digest.items() if digest not in known], len(known)
        states = _present(ObjectState, self.run.storage_id, by_digest)
        done = {
            bytes(digest): rows
            for digest, size, etag, rows in states.filter(state=ObjectState.Progress.DONE).values_list(
                "digest", "size", "etag", "rows"
            )
            if (by_digest[bytes(digest)].size, by_digest[bytes(digest)].etag) == (size, etag)
        }
        return [item for digest, item in by_digest.items() if digest not in done], sum(done.values())

    def save(self, batch: Batch) -> None:
        """Raises LeaseLost, and then nothing of the batch is stored."""
        with transaction.atomic():
            fresh, existed = self._without_known_rows(batch.drafts)
            status.advance(
                self.run,
                self.lease,
                cursor=batch.cursor,
                listed=batch.listed,
                existed=batch.existed + existed,
                ignored=batch.ignored,
                created=len(fresh),
                failed=len(batch.findings),
            )
            ids = create_tasks(self.project, [draft.task for draft in fresh]) if fresh else []
            insert_rows(ImportLink, LINK_COLUMNS, _link_rows(self.run.storage_id, fresh, ids))
            self._save_outcomes(batch)
            self._save_issues(batch)

    def _without_known_rows(self, drafts: list[Draft]) -> tuple[list[Draft], int]:
        """Drops rows that have a task already (of a file read once more) and rows that occur twice in the batch."""
        if not drafts:
            return [], 0
        if self.whole_objects:  # ``unknown`` asked already, and whoever holds the lease is the only one that saves
            return list({draft.item.key: draft for draft in drafts}.values()), 0
        wanted = {(key_digest(draft.item.key), draft.row_group, draft.row_index): draft for draft in drafts}
        indexes = [index for _, _, index in wanted]
        links = _present(ImportLink, self.run.storage_id, {digest for digest, _, _ in wanted})
        links = links.filter(row_index__range=(min(indexes), max(indexes)))  # not every row of a long file for each batch of it
        existed = 0
        for digest, group, index in links.values_list("digest", "row_group", "row_index").iterator(chunk_size=5000):
            existed += wanted.pop((bytes(digest), group, index), None) is not None
        return list(wanted.values()), existed

    def _save_outcomes(self, batch: Batch) -> None:
        outcomes = {key_digest(outcome.item.key): outcome for outcome in batch.outcomes}
        if not outcomes:
            return
        storage_id = self.run.storage_id
        counted = (
            _present(ImportLink, storage_id, outcomes).values("digest").annotate(rows=Count("id")).values_list("digest", "rows")
        )
        rows = {bytes(digest): count for digest, count in counted}
        _present(ObjectState, storage_id, outcomes).delete()
        insert_rows(
            ObjectState,
            STATE_COLUMNS,
            [
                (
                    storage_id,
                    digest,
                    item.key,
                    item.size,
                    item.modified,
                    item.etag,
                    "failed" if failed else "done",
                    rows.get(digest, 0),
                )
                for digest, (item, failed) in outcomes.items()
            ],
        )

    def _save_issues(self, batch: Batch) -> None:
        room, now = max(ISSUE_LIMIT - self.issues, 0), timezone.now()
        kept = batch.findings[:room]
        self.issues += len(kept)
        insert_rows(ImportIssue, ISSUE_COLUMNS, [(self.run.pk, f.key, f.row, f.code, f.message, now) for f in kept])


def _present(model: type[ImportLink | ObjectState], storage_id: int, digests: Collection[bytes]) -> QuerySet:
    """One parameter on PostgreSQL; the ORM's IN would prepare thousands of them one by one."""
    rows = model.objects.filter(storage_id=storage_id).order_by()
    if connection.vendor == "postgresql":
        return rows.extra(where=["digest = ANY(%s)"], params=[list(digests)])
    # only marks are put into the text
    return rows.extra(where=[f"digest IN ({', '.join(['%s'] * len(digests))})"], params=list(digests))  # noqa: S610


def _link_rows(storage_id: int, drafts: Sequence[Draft], task_ids: Sequence[int]) -> Iterator[tuple]:
    for (item, group, index, _), task_id in zip(drafts, task_ids, strict=True):
        yield storage_id, task_id, key_digest(item.key), group, index, item.key, item.size, item.modified, item.etag
