"""Set-based writes of the engine's batches: tasks, links, states, issues, counters and the cursor in one transaction."""

from collections.abc import Iterator, Sequence
from functools import partial

from django.db import IntegrityError, transaction
from django.db.models import Count

from storages import shards, status
from storages.changes import apply_changes, update_tasks
from storages.client import Client, ObjectInfo
from storages.known import Known, present
from storages.links import ImportLink, ObjectState
from storages.policies import ChangedPolicy
from storages.reports import report
from storages.shards import ParkedObject, Seen, Shard, Stage
from storages.sync.batch import Batch, Draft, Fate, Outcome, Sorted
from tasks.bulk import insert_rows
from tasks.services import Overtaken, create_tasks, reserve_inner_ids

LINK_COLUMNS = ("storage_id", "task_id", "digest", "row_group", "row_index", "key", "size", "modified", "etag")
STATE_COLUMNS = (
    *("storage_id", "digest", "key", "size", "modified", "etag", "state", "rows"),
    *("run_id", "row_group", "row_index", "offset", "refused", "changed"),
)
ATTEMPTS = 3  # of a batch that somebody else's commit came in the way of


class BatchStore:
    """The Sink of one shard: saves its batches under its lease."""

    def __init__(self, shard: Shard, client: Client) -> None:
        self.shard, self.run, self.meter = shard, shard.run, client.meter
        self.storage, self.project = self.run.storage, self.run.storage.project
        self.whole_objects = self.storage.use_blob_urls
        park = shard.stage == Stage.LIST and self.run.shards.filter(stage=Stage.RENAME).exists()
        self.known = Known(self.run, client, whole_objects=self.whole_objects, park=park)
        self.counted = (self.meter.requests, self.meter.bytes)  # of the client, that are in the run's counters

    def sort(self, items: list[ObjectInfo]) -> Sorted:
        """What is to be imported of ``items``, and what is known of the others."""
        return self.known.sort(items)

    def save(self, batch: Batch) -> None:
        """Raises LeaseLost, and then nothing of the batch is stored.

        A row that another shard saved in the same moment (a listing that names a key twice) makes the database refuse the
        batch; what is there by then is left out of the next attempt.
        """
        for attempt in range(1, ATTEMPTS + 1):
            fresh, known = self._without_known_rows(batch.drafts, look=attempt > 1)
            first = reserve_inner_ids(self.project.pk, len(fresh)) if fresh else None
            try:
                with transaction.atomic():
                    self._save(batch, fresh, known, first)
                break
            except (IntegrityError, Overtaken):
                if attempt == ATTEMPTS:
                    raise

    def _save(self, batch: Batch, fresh: list[Draft], known: list[tuple[int, Draft]], first_inner_id: int | None) -> None:
        counters = {
            "listed": batch.listed,
            "settled": batch.settled,
            "existed": sum(page.existed for page in batch.pages),
            "ignored": batch.ignored,
            "changed": sum(len(page.changed) for page in batch.pages),
        }
        shards.advance(self.shard, cursor=batch.cursor, **counters)  # the lease is proven before anything is written
        if batch.done:
            shards.finish(self.shard)
        create_tasks(self.project, [draft.task for draft in fresh], first_inner_id, partial(self._link, fresh))
        if self.storage.changed_policy == ChangedPolicy.UPDATE:
            update_tasks([(task_id, draft.task) for task_id, draft in known if draft.fate == Fate.CHANGED])
        self._save_outcomes(batch.outcomes)
        for page in batch.pages:
            self._save_page(page)
        report(self.run, batch.findings)
        counters["existed"] += len(known)
        # last: the run's row is everybody's
        status.advance(self.run, created=len(fresh), failed=len(batch.findings), **counters, **self._traffic())

    def _link(self, drafts: list[Draft], task_ids: list[int]) -> None:
        insert_rows(ImportLink, LINK_COLUMNS, _link_rows(self.storage.pk, drafts, task_ids))

    def _traffic(self) -> dict[str, int]:
        now, before = (self.meter.requests, self.meter.bytes), self.counted
        transaction.on_commit(lambda: setattr(self, "counted", now))
        return {"requests": now[0] - before[0], "bytes": now[1] - before[1]}

    def _without_known_rows(self, drafts: list[Draft], *, look: bool) -> tuple[list[Draft], list[tuple[int, Draft]]]:
        """The drafts without a task, each row once; and (task id, draft) of those of a file that is read once more."""
        if not drafts or (self.whole_objects and not look):  # ``sort`` asked already
            return drafts, []
        wanted = {(draft.digest, draft.row_group, draft.row_index): draft for draft in drafts}
        links = present(ImportLink, self.storage.pk, {digest for digest, _, _ in wanted})
        # not every row of a long file for each batch of it
        groups, indexes = {group for _, group, _ in wanted}, [index for _, _, index in wanted]
        links = links.filter(row_group__in=groups, row_index__range=(min(indexes), max(indexes)))
        known = []
        rows = links.values_list("digest", "row_group", "row_index", "task_id")
        for digest, group, index, task_id in rows.iterator(chunk_size=5000):
            if (draft := wanted.pop((bytes(digest), group, index), None)) is not None:
                known.append((task_id, draft))
        return list(wanted.values()), known

    def _save_outcomes(self, outcomes: list[Outcome]) -> None:
        last = {outcome.digest: outcome for outcome in outcomes}
        if not last:
            return
        rows: dict[bytes, int] = {}
        if over := [digest for digest, outcome in last.items() if not outcome.mark]:  # a long file is counted once, at its end
            counted = present(ImportLink, self.storage.pk, over).values("digest").annotate(n=Count("id"))
            rows = {bytes(digest): count for digest, count in counted.values_list("digest", "n")}
        present(ObjectState, self.storage.pk, last).delete()
        insert_rows(
            ObjectState,
            STATE_COLUMNS,
            (self._state_row(digest, outcome, rows.get(digest, 0)) for digest, outcome in last.items()),
        )

    def _state_row(self, digest: bytes, outcome: Outcome, rows: int) -> tuple:
        item, _, refused, mark, fate = outcome
        state = "reading" if mark else "failed" if refused else "done"
        return (
            *(self.storage.pk, digest, item.key, item.size, item.modified, item.etag, state, rows),
            *(self.run.pk, *(mark or (0, 0, 0)), refused, fate == Fate.CHANGED),
        )

    def _save_page(self, page: Sorted) -> None:
        if page.flagged or page.renewed or page.restored:
            apply_changes(self.run, page, whole_objects=self.whole_objects)
        insert_rows(Seen, ("run_id", "low", "high"), [(self.run.pk, low, high) for low, high in _stretches(page.seen)])
        parked = [(self.run.pk, self.shard.pk, item.key, item.size, item.modified, item.etag) for item in page.parked]
        insert_rows(ParkedObject, ("run_id", "shard_id", "key", "size", "modified", "etag"), parked)


def _stretches(ids: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Consecutive ids as (first, last): [7, 1, 2, 3] gives (1, 3), (7, 7)."""
    ordered = sorted(ids)
    low = high = None
    for pk in ordered:
        if high is not None and pk != high + 1:
            yield low, high
            low = None
        low, high = pk if low is None else low, pk
    if high is not None:
        yield low, high


def _link_rows(storage_id: int, drafts: Sequence[Draft], task_ids: Sequence[int]) -> Iterator[tuple]:
    for draft, task_id in zip(drafts, task_ids, strict=True):
        item = draft.item
        yield (
            *(storage_id, task_id, draft.digest, draft.row_group, draft.row_index),
            *(item.key, item.size, item.modified, item.etag),
        )
