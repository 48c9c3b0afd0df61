"""The known objects that a run's listing did not come across; a walk over the gaps between the rows it saw."""

from collections.abc import Callable, Iterator
from itertools import islice

from django.db.models import Q, QuerySet

from storages.links import ImportLink, ObjectState
from storages.runs import ImportRun
from storages.shards import Seen

CHUNK = 1000  # rows
GAPS = 100  # gaps asked for with one statement


def walk(
    run: ImportRun, *, whole_objects: bool, in_scope: Callable[[str], bool], after: int = 0
) -> Iterator[list[ImportLink | ObjectState]]:
    """Lists of rows by rising id from behind ``after``: links ("Files") or states ("Tasks") older than the run, unseen by it.

    An object that is no longer ``in_scope`` (the filter or the prefix was changed) was not looked for, so it is left out.
    """
    rows = candidates(run.storage_id, whole_objects=whole_objects).filter(id__lte=run.watermark).order_by("id")
    gaps = _gaps(run, after)
    while some := list(islice(gaps, GAPS)):
        place = some[0][0] - 1
        while chunk := list(_inside(rows.filter(id__gt=place), some)[:CHUNK]):
            yield [row for row in chunk if in_scope(row.key)]
            place = chunk[-1].pk


def candidates(storage_id: int, *, whole_objects: bool) -> QuerySet:
    """The rows that stand for an object each. Links of further rows are left from a time when the method was "Tasks"."""
    if whole_objects:
        return ImportLink.objects.filter(storage_id=storage_id, row_group=0, row_index=0)
    return ObjectState.objects.filter(storage_id=storage_id)


def _inside(rows: QuerySet, gaps: list[tuple[int, int]]) -> QuerySet:
    wanted = Q()
    for low, high in gaps:
        wanted |= Q(id__range=(low, high))
    return rows.filter(wanted)


def _gaps(run: ImportRun, after: int) -> Iterator[tuple[int, int]]:
    """(first, last) id of each stretch behind ``after`` that no row of Seen covers."""
    place = after + 1
    for low, high in Seen.objects.filter(run=run).order_by("low").values_list("low", "high").iterator(chunk_size=5000):
        if low > place:
            yield place, low - 1
        place = max(place, high + 1)
    if place <= run.watermark:
        yield place, run.watermark
