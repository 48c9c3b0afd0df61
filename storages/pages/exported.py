"""Where the annotations of one task were exported, and what the outbox still has to do for them. Reads only."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db.models import Q

from projects.models import Project
from storages.base import ExportStorage
from storages.keys import NEVER
from storages.links import ExportLink, Form, OutboxItem
from storages.pages.words import title_of
from storages.runs import ExportIssue

UNTOLD = "The last try failed. Test the connection of this target; the server's log says more."


class Export(NamedTuple):
    """The object of one annotation (``subject``), or of the whole task, in one target. ``at``: when it was written."""

    form: str
    subject: int
    target: ExportStorage
    title: str
    key: str
    at: datetime | None
    label: str
    tone: str
    error: str
    due: datetime | None

    @property
    def is_task(self) -> bool:
        return self.form == Form.TASK


def exports_of(project: Project, task_id: int, annotation_ids: Sequence[int]) -> list[Export]:
    """By target and subject; what no target has heard of is left out. Four queries at most."""
    rows = ExportStorage.objects.filter(project=project).order_by("id").only("id", "type", "title", "run_id", "project_id")
    targets = {target.pk: target for target in rows}
    if not targets:
        return []
    ours = Q(form=Form.TASK, subject=task_id) | Q(form=Form.ANNOTATION, subject__in=annotation_ids)
    ours &= Q(storage__in=targets)
    links = {_place(link): link for link in ExportLink.objects.filter(ours).defer("digest", "key_digest")}
    waiting = {_place(item): item for item in OutboxItem.objects.filter(ours)}
    errors = _errors(targets, [item for item in waiting.values() if item.attempts])
    places = sorted({*links, *waiting})
    return [_export(targets[place[0]], place, links.get(place), waiting.get(place), errors) for place in places]


def _place(row: ExportLink | OutboxItem) -> tuple[int, str, int]:
    return row.storage_id, row.form, row.subject


def _errors(targets: dict[int, ExportStorage], failed: Sequence[OutboxItem]) -> dict[tuple[int, int], str]:
    """(target, subject) → what the newest run of the target said of it; runs report by the number of the subject alone."""
    runs = {targets[item.storage_id].run_id: item.storage_id for item in failed if targets[item.storage_id].run_id}
    if not runs:
        return {}
    issues = ExportIssue.objects.filter(run__in=runs, key__in={str(item.subject) for item in failed}).order_by("id")
    return {(runs[run], int(key)): message for run, key, message in issues.values_list("run_id", "key", "message")}


def _export(
    target: ExportStorage,
    place: tuple[int, str, int],
    link: ExportLink | None,
    item: OutboxItem | None,
    errors: dict[tuple[int, int], str],
) -> Export:
    _, form, subject = place
    at = link.exported_at if link and link.exported_at > NEVER else None
    error, due = "", None
    if item and item.attempts:
        label, tone, due = f"Failed, tried {item.attempts} time{'' if item.attempts == 1 else 's'}", "bad", item.due
        error = errors.get((target.pk, subject)) or UNTOLD
    elif item:
        label, tone = ("Changed, waits to be written again" if at else "Waits to be written"), "busy"
    else:
        label, tone = ("Exported", "good") if at else ("Begun, not finished", "warn")
    return Export(form, subject, target, title_of(target), link.key if link else "", at, label, tone, error, due)
