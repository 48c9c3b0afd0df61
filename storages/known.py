"""Holds listed objects against the links and object states of a storage: what is new, changed, known. Writes nothing."""

from collections.abc import Collection
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from storages.client import ObjectInfo
from storages.links import Flag, ImportLink, ObjectState, key_digest
from storages.policies import ChangedPolicy
from storages.runs import ImportRun
from storages.sync.batch import Fate, Sorted, Todo
from storages.sync.read import Mark

Progress = ObjectState.Progress


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
    """What a run knows of its storage. ``versions``: the backend's listings tell when an object has changed."""

    def __init__(self, run: ImportRun, *, whole_objects: bool, versions: bool, park: bool = False) -> None:
        self.run, self.whole_objects, self.versions, self.park = run, whole_objects, versions, park
        self.policy = run.storage.changed_policy

    def sort(self, items: list[ObjectInfo]) -> Sorted:
        """What is to be imported of ``items``, and what is known of the others."""
        by_digest = {key_digest(item.key): item for item in items}
        found = Sorted(settled=len(items) - len(by_digest))  # a page may name an object twice
        (self._sort_objects if self.whole_objects else self._sort_files)(by_digest, found)
        if self.park and self.run.watermark:
            found.parked = list(by_digest.values())
        else:
            found.fresh += [Todo(item, digest) for digest, item in by_digest.items()]
        return found

    def _sort_objects(self, by_digest: dict[bytes, ObjectInfo], found: Sorted) -> None:
        """The "Files" method: an object with a link is known."""
        watermark, seen, versions = self.run.watermark, found.seen, self.versions
        listed = len(by_digest)
        rows = present(ImportLink, self.run.storage_id, by_digest).filter(row_group=0, row_index=0)
        for digest, pk, size, etag, flag in rows.values_list("digest", "id", "size", "etag", "flag"):
            item = by_digest.pop(bytes(digest))
            if pk > watermark:  # made by this run
                continue
            seen.append(pk)
            if versions and (item.etag != etag or item.size != size):
                found.changed.append(item)
                if self.policy == ChangedPolicy.UPDATE:
                    found.renewed.append((pk, item))
                elif self.policy == ChangedPolicy.FLAG and flag != Flag.CHANGED:
                    found.flagged.append(item)
            elif flag:
                found.restored.append(bytes(digest))
        found.settled += listed - len(by_digest)
        found.existed += len(seen)

    def _sort_files(self, by_digest: dict[bytes, ObjectInfo], found: Sorted) -> None:
        """The "Tasks" method: an object is known when it was read to its end and has not changed since."""
        columns = ("id", "size", "etag", "state", "rows", "run_id", "row_group", "row_index", "offset", "refused", "changed")
        rows = present(ObjectState, self.run.storage_id, by_digest)
        for digest, *values in rows.values_list("digest", *columns):
            item, state = by_digest.pop(bytes(digest)), dict(zip(columns, values, strict=True))
            if state["id"] <= self.run.watermark:
                found.seen.append(state["id"])
            self._sort_file(Todo(item, bytes(digest)), state, found)

    def _sort_file(self, todo: Todo, state: dict[str, Any], found: Sorted) -> None:
        item = todo.item
        ours = state["run_id"] == self.run.pk
        differs = self._differs(item, state["size"], state["etag"])
        changed = differs or (ours and state["changed"])  # ours: read, but the page that it is on was not saved
        if changed:
            found.changed.append(item)
            if self.policy == ChangedPolicy.FLAG:
                found.flagged.append(item)
        if differs:
            found.fresh.append(todo._replace(fate=Fate.CHANGED))
        elif state["state"] == Progress.READING and (ours or not state["refused"]):
            found.existed += 0 if ours else state["rows"]
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

    def _differs(self, item: ObjectInfo, size: int, etag: str) -> bool:
        return self.versions and (item.size, item.etag) != (size, etag)
