"""The outbox: which exported objects may be out of date. A change is recorded in its own transaction, delivered later.

One row per (storage, form, subject), so at most one worker writes an object at a time and the newest state wins.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from storages import names
from storages.base import ExportStorage
from storages.links import ExportLink, Form, OutboxItem
from storages.places import COMING
from storages.runs import ExportRun


class Due(NamedTuple):
    """A claimed row."""

    pk: int
    storage_id: int
    form: str
    subject: int
    version: int
    run_id: int | None
    claim: str
    attempts: int


CLAIM = timedelta(seconds=30)  # a claim is renewed while its worker lives, and free again this long after it died
CHUNK = 512  # rows of one claim
SLICE = 2000  # rows that one statement changes at most, so that no save has to wait for it
BACK_OFF = (1, 5, 30, 120, 600, 3600)  # seconds until the next try


def record(project_id: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Marks (annotation, task) pairs as changed for every target of the project; returns the ids of those that do not rest."""
    columns = ("id", "object_form", "resting_until")
    targets = list(ExportStorage.objects.filter(project_id=project_id).order_by("id").only(*columns))
    if targets:
        pairs = list(pairs)
        rows = []  # one order for all: no deadlock
        for target in targets:
            form = names.form_of(target)
            rows += [(target.pk, form.value, subject) for subject in sorted({pair[form is Form.TASK] for pair in pairs})]
        for start in range(0, len(rows), 500):
            upsert(rows[start : start + 500])
    now = timezone.now()
    return [target.pk for target in targets if not target.resting_until or target.resting_until <= now]


def upsert(rows: Sequence[tuple[int, str, int]]) -> None:
    """Makes (storage, form, subject) due; a row that is being delivered keeps its claim and is out of date once more."""
    if not rows:
        return
    table = connection.ops.quote_name(OutboxItem._meta.db_table)
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    marks = ", ".join(["(%s, %s, %s, 1, '', %s, 0)"] * len(rows))
    values = [value for row in rows for value in (*row, now)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (storage_id, form, subject, version, claim, due, attempts) VALUES {marks} "  # noqa: S608
            f"ON CONFLICT (storage_id, form, subject) DO UPDATE SET version = {table}.version + 1, attempts = 0, "
            f"due = CASE WHEN {table}.claim = '' THEN excluded.due ELSE {table}.due END",
            values,
        )


def record_written(target_id: int) -> None:
    """Makes everything that a target has written due."""
    table, links = (connection.ops.quote_name(model._meta.db_table) for model in (OutboxItem, ExportLink))
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (storage_id, form, subject, version, claim, due, attempts) "  # noqa: S608
            f"SELECT storage_id, form, subject, 1, '', %s, 0 FROM {links} WHERE storage_id = %s AND form IN (%s, %s) "
            "ORDER BY form, subject ON CONFLICT (storage_id, form, subject) DO NOTHING",
            [now, target_id, *[form.value for form in Form]],
        )


def record_failed(run: ExportRun, subjects: Collection[int] = ()) -> int:
    """Makes what failed before (or ``subjects`` of it) due at once, on behalf of ``run``; how many objects that is."""
    rows, made = failed(run.storage_id, subjects).filter(claim=""), 0

    def bring_forward(some: QuerySet[OutboxItem]) -> None:
        nonlocal made
        made += some.update(run=run, due=timezone.now(), attempts=0)

    _in_slices(rows, bring_forward)
    return made


def failed(storage_id: int, subjects: Collection[int] = ()) -> QuerySet[OutboxItem]:
    """What could not be written at the last try; with ``subjects`` only those."""
    rows = OutboxItem.objects.filter(storage_id=storage_id, attempts__gt=0)
    return rows.filter(subject__in=subjects) if subjects else rows


def withdraw(run: ExportRun) -> None:
    """Takes back what ``run`` alone made due and nobody has begun to deliver; the rest is delivered for no run.

    A retry made nothing due that was not, and what is moving to another key has to arrive there.
    """
    moving = ExportLink.objects.filter(
        storage_id=OuterRef("storage_id"), subject=OuterRef("subject"), form__in=list(COMING.values())
    )
    idle = OutboxItem.objects.filter(~Exists(moving), run=run, claim="", version=1, run__kind=ExportRun.Kind.SYNC)
    _in_slices(idle, lambda rows: rows.filter(claim="", version=1).delete())
    disown(run)


def disown(run: ExportRun) -> None:
    """What is still due is delivered for no run from now on."""
    _in_slices(OutboxItem.objects.filter(run=run), lambda rows: rows.update(run=None))


def _in_slices(rows: QuerySet[OutboxItem], act: Callable[[QuerySet[OutboxItem]], object]) -> None:
    """Does ``act``, which takes them out of ``rows``, to some of these at a time, each in a transaction of its own."""
    while True:
        with transaction.atomic():
            pks = _locked(rows, limit=SLICE)
            act(OutboxItem.objects.filter(pk__in=pks))
        if len(pks) < SLICE:
            return


def _locked(rows: QuerySet[OutboxItem], *, limit: int | None = None, skip: bool = False) -> list[int]:
    """Primary keys of ``rows``, locked in the order in which every writer of several rows takes them: no deadlock."""
    ordered = rows.order_by("storage_id", "form", "subject")
    if connection.features.has_select_for_update:
        ordered = ordered.select_for_update(skip_locked=skip, of=("self",))
    return list(ordered.values_list("pk", flat=True)[:limit])


def claim(storage: ExportStorage, token: str, limit: int = CHUNK) -> list[Due]:
    """Takes up to ``limit`` due rows for the holder of ``token`` alone, until CLAIM after it stops to ``renew``."""
    now = timezone.now()
    with transaction.atomic():
        due = OutboxItem.objects.filter(storage_id=storage.pk, due__lte=now).order_by("due", "id")
        if connection.features.has_select_for_update_skip_locked:
            due = due.select_for_update(skip_locked=True)
        rows = [Due(*row)._replace(claim=token) for row in due.values_list(*Due._fields)[:limit]]
        OutboxItem.objects.filter(id__in=[row.pk for row in rows]).update(claim=token, due=now + CLAIM)
    return sorted(rows)


def renew(token: str) -> None:
    """A sign of life of whoever claimed rows with ``token``; a row that somebody is changing has to wait for the next one."""
    with transaction.atomic():
        pks = _locked(OutboxItem.objects.filter(claim=token), skip=True)
        OutboxItem.objects.filter(pk__in=pks).update(due=timezone.now() + CLAIM)


def settle(items: Sequence[Due]) -> None:
    """Delivered: removes the rows, or frees those that changed again meanwhile for another round, which is no run's.

    A row whose claim was lost meanwhile (its holder stood still for longer than CLAIM) may have been written by two
    workers in any order, so it counts as out of date again.
    """
    with transaction.atomic():
        kept = _mine(items)
        groups: dict[int, list[int]] = defaultdict(list)
        for item in items:
            if item.pk in kept:
                groups[item.version].append(item.pk)
        gone = sum(OutboxItem.objects.filter(pk__in=pks, version=version).delete()[0] for version, pks in groups.items())
        if gone < len(kept):
            OutboxItem.objects.filter(pk__in=kept).update(claim="", due=timezone.now(), run=None)
        if lost := sorted((item.storage_id, item.form, item.subject) for item in items if item.pk not in kept):
            upsert(lost)


def release(items: Sequence[Due]) -> None:
    """Nothing was done: the rows are due again at once, for whichever run they were."""
    with transaction.atomic():
        OutboxItem.objects.filter(pk__in=_mine(items)).update(claim="", due=timezone.now())


def _mine(items: Sequence[Due]) -> set[int]:
    """Locked primary keys of those that are still claimed by their holder."""
    tokens = {item.claim for item in items}
    return set(_locked(OutboxItem.objects.filter(pk__in=[item.pk for item in items], claim__in=tokens)))


def postpone(items: Sequence[Due], *, keep_run: bool = True) -> None:
    """Failed: tries again later, waiting longer each time; without ``keep_run`` no longer on behalf of its run."""
    if not items:
        return
    change = {} if keep_run else {"run": None}
    with transaction.atomic():
        mine = OutboxItem.objects.filter(pk__in=_mine(items))
        tries: dict[int, list[int]] = defaultdict(list)  # read anew: a change meanwhile set it back to 0
        for pk, attempts in mine.values_list("pk", "attempts"):
            tries[attempts].append(pk)
        for attempts, pks in tries.items():
            due = timezone.now() + pause(attempts)
            mine.filter(pk__in=pks).update(claim="", attempts=F("attempts") + 1, due=due, **change)


def pause(attempts: int) -> timedelta:
    """How long to wait after that many failures."""
    return timedelta(seconds=BACK_OFF[min(attempts, len(BACK_OFF) - 1)])


def rest(target: ExportStorage) -> None:
    """Nothing could be written to ``target``: it is left alone for a while, longer each time."""
    rows = ExportStorage.objects.filter(pk=target.pk)
    rests = rows.values_list("rests", flat=True).first() or 0
    rows.update(rests=min(rests + 1, len(BACK_OFF)), resting_until=timezone.now() + pause(rests))


def wake(target_id: int) -> None:
    """Something could be written again, or perhaps can be now that the settings are others."""
    ExportStorage.objects.filter(pk=target_id, rests__gt=0).update(rests=0, resting_until=None)


def waiting_targets() -> list[int]:
    """Ids of the targets that have something due."""
    due = OutboxItem.objects.filter(due__lte=timezone.now()).order_by().values("storage_id").distinct()
    return list(_awake().filter(pk__in=due).order_by("id").values_list("id", flat=True))


def is_awake(target_id: int) -> bool:
    """Whether ``target_id`` may be written to now; one that failed before is tried by one worker at a time."""
    return _awake().filter(pk=target_id).exists()


def _awake() -> QuerySet[ExportStorage]:
    now = timezone.now()
    tried = OutboxItem.objects.filter(storage_id=OuterRef("pk"), due__gt=now).exclude(claim="")
    return ExportStorage.objects.filter(Q(resting_until=None) | Q(resting_until__lte=now)).exclude(Exists(tried), rests__gt=0)
