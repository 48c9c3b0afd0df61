"""Tasks that are not born yet: what import and sync hand to services.create_tasks. No database here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(slots=True)
class AnnotationDraft:
    """``result`` is a list of regions or None; ``completed_by`` a user id or None; ``lead_time`` seconds."""

    result: list | None = None
    completed_by: int | None = None
    was_cancelled: bool = False
    ground_truth: bool = False
    lead_time: float | None = None
    import_id: int | None = None
    draft_created_at: datetime | None = None
    parent_prediction: int | None = None
    parent_annotation: int | None = None
    updated_by: int | None = None
    last_action: str | None = None
    bulk_created: bool = False


@dataclass(slots=True)
class PredictionDraft:
    """``result`` is any JSON value."""

    result: Any
    score: float | None = None
    model_version: str = ""


@dataclass(slots=True)
class TaskDraft:
    """``data_text`` is ``data`` as JSON text when somebody already made it, so that it is made once."""

    data: dict[str, Any]
    meta: dict[str, Any] | None = None
    allow_skip: bool = True
    annotations: Sequence[AnnotationDraft] = ()
    predictions: Sequence[PredictionDraft] = ()
    data_text: str = ""
    weight: int = 0  # bytes of all that is stored, where the one who made the draft knows
