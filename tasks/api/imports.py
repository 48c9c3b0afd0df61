"""Import of tasks and predictions from a JSON body: all of it or nothing."""

import time
from typing import Any

from django.db import transaction
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from projects.access import get_project
from projects.label_config import EMPTY, data_keys, parse
from projects.models import Project
from projects.parameters import read_flag, read_text
from tasks.api.races import settled
from tasks.api.schema import CreatedCount, ImportReport
from tasks.authors import Authors
from tasks.counters import chunks
from tasks.drafts import PredictionDraft, TaskDraft
from tasks.models import Task
from tasks.services import create_tasks
from tasks.validation import RowInvalid, check_data_keys, kind_of, parse_prediction, parse_row
from tasks.writing import predict_many

BATCH = 1000  # tasks per create_tasks call
MAX_FAULTS = 20  # messages in one answer
PARAMETERS = [
    OpenApiParameter("commit_to_project", bool, description="default true; false only checks the tasks"),
    OpenApiParameter("return_task_ids", bool),
    OpenApiParameter("preannotated_from_fields", str, description="comma-separated data keys that hold predictions"),
]
ROWS = {"type": "array", "items": {"type": "object", "additionalProperties": True}}


def _rows(request: Request) -> list[Any]:
    """The body's elements; one object counts as a list of one."""
    if not (request.content_type or "").startswith("application/json"):
        raise ValidationError(
            "send the rows as a JSON array with Content-Type: application/json; files cannot be uploaded here, "
            "put them into a bucket or a local directory and connect it as a storage"
        )
    rows = request.data if isinstance(request.data, list) else [request.data]
    if not rows:
        raise ValidationError("the list is empty; send at least one row")
    return rows


def _refuse(faults: list[str]) -> None:
    if faults:
        more = [f"and {len(faults) - MAX_FAULTS} more rows"] if len(faults) > MAX_FAULTS else []
        raise ValidationError(faults[:MAX_FAULTS] + more)


class ImportTasks(APIView):
    @extend_schema(
        operation_id="projects_import_tasks",
        parameters=PARAMETERS,
        request={"application/json": ROWS},
        responses={201: ImportReport},
    )
    def post(self, request: Request, pk: int) -> Response:
        started = time.monotonic()
        project = get_project(request.user, pk)
        commit, wants_ids = read_flag(request, "commit_to_project", True), read_flag(request, "return_task_ids", False)
        moved = [name.strip() for name in read_text(request, "preannotated_from_fields").split(",") if name.strip()]
        drafts = _parse(project, [_with_predictions(row, moved) for row in _rows(request)])
        ids = _save(project, drafts) if commit else []
        body = {
            "task_count": len(drafts),
            "annotation_count": sum(len(draft.annotations) for draft in drafts) if commit else None,
            "prediction_count": sum(len(draft.predictions) for draft in drafts) if commit else None,
            "duration": time.monotonic() - started,
            "file_upload_ids": [],
            "could_be_tasks_list": False,
            "found_formats": [],
            "data_columns": [],
        }
        if wants_ids:
            body["task_ids"] = ids
        return Response(body, status=status.HTTP_201_CREATED)


def _with_predictions(row: Any, moved: list[str]) -> Any:
    """The row with the values of the ``moved`` data keys turned into one prediction each."""
    if not moved or not isinstance(row, dict):
        return row
    data = dict(row["data"]) if isinstance(row.get("data"), dict) else dict(row)
    return {"predictions": [{"result": data.pop(name, None)} for name in moved], "data": data}


def _parse(project: Project, rows: list[Any]) -> list[TaskDraft]:
    """All rows as drafts. Raises ValidationError (400) naming each bad row by its index, from 0."""
    config = project.label_config or EMPTY
    keys, controls, authors = data_keys(config), parse(config), Authors(project.organization_id)
    drafts, faults = [], []
    for index, row in enumerate(rows):
        try:
            draft = parse_row(row, authors, controls)
            check_data_keys(draft.data, keys)
            drafts.append(draft)
        except RowInvalid as error:
            faults.append(f"row {index}: {error}")
    _refuse(faults)
    return drafts


def _save(project: Project, drafts: list[TaskDraft]) -> list[int]:
    ids: list[int] = []
    with settled(), transaction.atomic():
        for start in range(0, len(drafts), BATCH):
            ids += create_tasks(project, drafts[start : start + BATCH])
    return ids


class ImportPredictions(APIView):
    @extend_schema(operation_id="projects_import_predictions", request={"application/json": ROWS}, responses={201: CreatedCount})
    def post(self, request: Request, pk: int) -> Response:
        project = get_project(request.user, pk)
        drafts = _parse_predictions(project, _rows(request))
        with settled():
            predict_many(project.pk, drafts)
        return Response({"created": len(drafts)}, status=status.HTTP_201_CREATED)


def _parse_predictions(project: Project, rows: list[Any]) -> list[tuple[int, PredictionDraft]]:
    controls = parse(project.label_config or EMPTY)
    known = _known_tasks(project.pk, rows)
    drafts, faults = [], []
    for index, row in enumerate(rows):
        try:
            draft = parse_prediction(row, controls, "it")
            task_id = row.get("task")
            if type(task_id) is not int or task_id not in known:
                shown = task_id if type(task_id) is int else kind_of(task_id)
                raise RowInvalid(f"task must be the id of a task of this project, this is {str(shown)[:50]}")
            drafts.append((task_id, draft))
        except RowInvalid as error:
            faults.append(f"row {index}: {error}")
    _refuse(faults)
    return drafts


def _known_tasks(project_id: int, rows: list[Any]) -> set[int]:
    named = [row["task"] for row in rows if isinstance(row, dict) and type(row.get("task")) is int]
    ids = [task_id for task_id in named if 0 < task_id < 2**63]
    tasks = Task.objects.filter(project_id=project_id)
    return {task_id for chunk in chunks(ids) for task_id in tasks.filter(id__in=chunk).values_list("id", flat=True)}
