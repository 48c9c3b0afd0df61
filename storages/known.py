"""Holds listed objects against the links and object states of a storage: what is new, changed, known. Writes nothing."""

from collections.abc import Collection
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from storages.client import Client, ObjectInfo
from storages.links import Flag, ImportLink, ObjectState, key_digest
from storages.own_exports import OwnExports
from storages.policies import ChangedPolicy
from storages.runs import ImportRun
from storages.sync.batch import Fate, Sorted, Todo
from storages.sync.read import Mark

Progress = ObjectState.Progress
LINK = ("id", "size", "etag", "flag")
STATE = ("id", "size", "etag", "state", "rows", "run_id", "row_group", "row_index", "offset", "refused", "changed")
MOST_MISSES = 3  # pages in a row until a listing counts as one in another order than that of the import


def present(model: type[ImportLink | ObjectState], storage_id: int, digests: Collection[bytes]) -> QuerySet:
    """The storage's rows with one of ``digests``. One parameter on PostgreSQL; the ORM's IN would prepare thousands."""
    rows = model.objects.filter(storage_id=storage_id).order_by()
    if connection.vendor == "postgresql":
        # as one text: the driver would turn each element of a list into a parameter's form by itself
        listed = ",".join([f'"\\\\x{bytes(digest).hex()}"' for digest in digests])
        return rows.extra(where=["digest = ANY(%s::bytea[])"], params=[f"{{{listed}}}"])
    # only marks are put into the text
    return rows.extra(where=[f"digest IN ({', '.join(['%s'] * len(digests))})"], params=list(digests))  # noqa: S610


class Known:
    """What a run knows of its storage."""

    def __init__(self, run: ImportRun, client: Client, *, whole_objects: bool, park: bool = False) -> None:
        self.run, self.whole_objects, self.park = run, whole_objects, park
        self.versions, self.exports = client.capabilities.versions, OwnExports(run.storage, client)
        self.policy, self.model = run.storage.changed_policy, ImportLink if whole_objects else ObjectState
        self.columns = LINK if whole_objects else STATE
        self.first = {"row_group": 0, "row_index": 0} if whole_objects else {}  # an object's row among its links
        self.place, self.misses = 0, 0  # the last row seen; pages whose objects were not behind it

    def sort(self, items: list[ObjectInfo]) -> Sorted:
        """What is to be imported of ``items``, and what is known of the others."""
        by_key = {item.key: item for item in items}
        found = Sorted(settled=len(items) - len(by_key))  # a page may name an object twice
        self._sort_expected(by_key, found)
        by_digest = {key_digest(key): item for key, item in by_key.items()}
        if by_digest:
            rows = present(self.model, self.run.storage_id, by_digest).filter(**self.first)
            for key, *row in rows.values_list("key", *self.columns):
                self._sort_known(by_key.pop(key), row, found)
        own = self.exports.among(by_key) if by_key else set()  # what was imported once stays known
        found.own = [by_key.pop(key) for key in own]
        new = [Todo(item, digest) for digest, item in by_digest.items() if item.key in by_key]
        if self.park and self.run.watermark:
            found.parked = [todo.item for todo in new]
        else:
            found.fresh += new
        self.place = max(found.seen, default=self.place)
        return found

    def _sort_expected(self, by_key: dict[str, ObjectInfo], found: Sorted) -> None:
        """Objects are mostly listed as they were imported: the rows behind the last one seen are these objects' rows.

        A stretch of the primary key costs a twentieth of as many look-ups in an index of random digests.
        """
        if not self.place or self.misses >= MOST_MISSES:
            return
        end, before = min(self.place + 2 * len(by_key), self.run.watermark), len(by_key)
        # whose rows they are is looked at here: asked to look, PostgreSQL would walk through all rows of the storage
        rows = self.model.objects.filter(id__gt=self.place, id__lte=end, **self.first).order_by()
        for storage_id, key, *row in rows.values_list("storage_id", "key", *self.columns):
            if storage_id == self.run.storage_id and (item := by_key.pop(key, None)) is not None:
                self._sort_known(item, row, found)
        self.misses = 0 if len(by_key) < before else self.misses + 1

    def _sort_known(self, item: ObjectInfo, row: list[Any], found: Sorted) -> None:
        pk = row[0]
        if pk <= self.run.watermark:
            found.seen.append(pk)
        if self.whole_objects:
            found.settled += 1
            if pk <= self.run.watermark:  # else this run has made it
                self._sort_object(item, row, found)
        else:
            self._sort_file(Todo(item, key_digest(item.key)), dict(zip(STATE, row, strict=True)), found)

    def _sort_object(self, item: ObjectInfo, row: list[Any], found: Sorted) -> None:
        """The "Files" method: an object with a link is known."""
        pk, size, etag, flag = row
        found.existed += 1
        if self.versions and (item.etag != etag or item.size != size):
            found.changed.append(item)
            if self.policy == ChangedPolicy.IGNORE and flag:  # it vanished, and is back
                found.restored.append(key_digest(item.key))
            elif self.policy == ChangedPolicy.UPDATE:
                found.renewed.append((pk, item))
            elif self.policy == ChangedPolicy.FLAG and flag != Flag.CHANGED:
                found.flagged.append(item)
        elif flag:
            found.restored.append(key_digest(item.key))

    def _sort_file(self, todo: Todo, state: dict[str, Any], found: Sorted) -> None:
        """The "Tasks" method: an object is known when it was read to its end and has not changed since."""
        item = todo.item
        ours = state["run_id"] == self.run.pk
        differs = self.versions and (item.size, item.etag) != (state["size"], state["etag"])
        imported = state["rows"] or state["state"] == Progress.READING
        # ours: read, but the page that it is on was not saved
        changed = (differs and imported) or (ours and state["changed"])
        if changed:
            found.changed.append(item)
            if self.policy == ChangedPolicy.FLAG:
                found.flagged.append(item)
        if differs:
            found.fresh.append(todo._replace(fate=Fate.CHANGED if changed else Fate.UNFINISHED))
        elif state["state"] == Progress.READING and (ours or not state["refused"]):
            found.existed += 0 if ours else present(ImportLink, self.run.storage_id, [todo.digest]).count()
            mark = Mark(state["row_group"], state["row_index"], state["offset"])
            fate = Fate.CHANGED if changed else Fate.UNFINISHED
            found.fresh.append(todo._replace(mark=mark, refused=state["refused"], fate=fate))
        elif ours:
            found.settled += 1
        elif state["state"] == Progress.DONE:
            found.settled += 1
            found.existed += state["rows"]
        else:
            found.fresh.append(todo._replace(fate=Fate.UNFINISHED))
