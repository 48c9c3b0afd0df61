"""A task of a snapshot becomes a draft with what the server sets itself; drafts of any other import cannot carry it.

Knows no storage: that the element is of a snapshot is for the caller to know.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from projects.jsontext import NotStorable, dump
from tasks.authors import Authors
from tasks.drafts import AnnotationDraft, PredictionDraft, TaskDraft
from tasks.validation import RowInvalid, flag, moment, number, parse_row, whole

INT = 2**31 - 1  # PostgreSQL manual, 8.1 "Numeric Types": integer
LONGEST_ACTION = 128  # characters of Annotation.last_action


@dataclass(slots=True)
class RestoredTask(TaskDraft):
    """``meta`` None is null; times None are now."""

    created_at: datetime | None = None
    updated_at: datetime | None = None
    updated_by: int | None = None


@dataclass(slots=True)
class RestoredAnnotation(AnnotationDraft):
    """``unique_id`` is kept unless an annotation has it; times None are now."""

    created_at: datetime | None = None
    updated_at: datetime | None = None
    last_created_by: int | None = None
    unique_id: uuid.UUID | None = None


@dataclass(slots=True)
class RestoredPrediction(PredictionDraft):
    """``neighbors`` is any JSON value; times None are now."""

    model_version: str | None = ""
    cluster: int | None = None
    neighbors: Any = None
    mislabeling: float = 0.0
    created_at: datetime | None = None
    updated_at: datetime | None = None


def restore_row(element: Any, authors: Authors, mails: Mapping[int, str]) -> RestoredTask:
    """The draft of a snapshot's task, as complete as another project can have it.

    ``mails``: the addresses behind the user ids that the snapshot names. Who is no member of the organization becomes null,
    but an annotation's author must be one, or labels would lose theirs unseen. Predictions need not fit the label config: they
    may not have done so where they come from. Raises RowInvalid.
    """
    draft = parse_row(element, authors)
    people = _People(authors, mails)
    pairs, guesses = (zip(getattr(draft, name), element.get(name) or (), strict=True) for name in ("annotations", "predictions"))
    try:
        made = {
            "annotations": [_annotation(*pair, f"annotations[{place}].", people) for place, pair in enumerate(pairs)],
            "predictions": [_prediction(*pair, f"predictions[{place}].") for place, pair in enumerate(guesses)],
            "meta": None if element.get("meta", {}) is None else draft.meta or {},
        }
    except NotStorable as error:
        raise RowInvalid(f"the task cannot be stored: {error}") from None
    return RestoredTask(**_held(draft) | made, **_times(element, ""), updated_by=people.find(element, "updated_by", ""))


class _People:
    """Finds members of the organization behind the user ids of a snapshot."""

    def __init__(self, authors: Authors, mails: Mapping[int, str]) -> None:
        self.authors, self.mails = authors, mails

    def find(self, item: dict, name: str, where: str) -> int | None:
        try:
            return self.authors.resolve(self.mails.get(whole(item, name, where) or 0))
        except LookupError:
            return None


def _held(draft: Any) -> dict[str, Any]:
    return {field.name: getattr(draft, field.name) for field in fields(draft)}


def _times(item: dict, where: str) -> dict[str, datetime | None]:
    return {name: moment(item, name, where) for name in ("created_at", "updated_at")}


def _annotation(draft: AnnotationDraft, item: dict, where: str, people: _People) -> RestoredAnnotation:
    held = _held(draft) | {
        "import_id": whole(item, "id", where),  # what parent_annotation of the others points at
        "last_action": _text(item, "last_action", where, LONGEST_ACTION),
        "bulk_created": flag(item, "bulk_created", False, where),
        "updated_by": people.find(item, "updated_by", where),
    }
    last = people.find(item, "last_created_by", where)
    return RestoredAnnotation(**held, **_times(item, where), last_created_by=last, unique_id=_uuid(item, where))


def _prediction(draft: PredictionDraft, item: dict, where: str) -> RestoredPrediction:
    held, cluster = _held(draft), whole(item, "cluster", where)
    if item.get("model_version", "") is None:
        held["model_version"] = None
    if cluster is not None and abs(cluster) > INT:
        raise RowInvalid(f"{where}cluster must be a whole number of at most 32 bits")
    mislabeling, neighbors = number(item, "mislabeling", where) or 0.0, item.get("neighbors")
    dump(neighbors)
    return RestoredPrediction(**held, **_times(item, where), cluster=cluster, neighbors=neighbors, mislabeling=mislabeling)


def _text(item: dict, name: str, where: str, longest: int) -> str | None:
    value = item.get(name)
    if value is not None and (type(value) is not str or len(value) > longest):
        raise RowInvalid(f"{where}{name} must be a text of at most {longest} characters")
    dump(value)
    return value


def _uuid(item: dict, where: str) -> uuid.UUID | None:
    value = item.get("unique_id")
    try:
        return None if value is None else uuid.UUID(value)
    except (ValueError, AttributeError, TypeError):
        raise RowInvalid(f"{where}unique_id must be a UUID") from None
