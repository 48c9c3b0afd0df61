"""The task endpoints: list, create, read, change, delete."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from projects.access import get_project
from projects.label_config import EMPTY, data_keys
from projects.models import Project
from projects.paging import read_page
from projects.parameters import read_flag
from tasks.access import get_task
from tasks.api.races import settled
from tasks.api.schema import PAGING, RESOLVE, SIGNED_LINKS, FlatTask, TaskPage, TaskShape
from tasks.deletion import delete_tasks
from tasks.drafts import TaskDraft
from tasks.presenting import present_flat, present_tasks
from tasks.selecting import list_tasks
from tasks.serializers import TaskWrite
from tasks.services import create_tasks
from tasks.validation import RowInvalid, check_data_keys
from tasks.writing import edit_task

PAGE_SIZE, MAX_PAGE_SIZE = 100, 10_000
LIST_PARAMETERS = [
    OpenApiParameter("project", int, description="required: whose tasks"),
    OpenApiParameter("view", int, description="there are no saved views: always 404"),
    *PAGING,
    OpenApiParameter("fields", str, enum=["all", "task_only"], description="all: with annotations and predictions"),
    OpenApiParameter("include", str, description="comma-separated keys to return; all by default"),
    OpenApiParameter("only_annotated", bool),
    OpenApiParameter("query", str, description="JSON: filters, ordering, selectedItems as the data manager writes them"),
    OpenApiParameter(
        "selectedItems", str, description='JSON: {"all": false, "included": [ids]} or {"all": true, "excluded": [ids]}'
    ),
    RESOLVE,
    SIGNED_LINKS,
]


def _check_keys(project: Project, data: dict[str, Any]) -> None:
    try:
        check_data_keys(data, data_keys(project.label_config or EMPTY))
    except RowInvalid as error:
        raise ValidationError({"data": [str(error)]}) from None


def _wants_all(request: Request) -> bool:
    fields = request.query_params.get("fields") or "task_only"
    if fields not in ("all", "task_only"):
        raise ValidationError({"fields": [f"{fields[:50]!r} is neither all nor task_only"]})
    return fields == "all"


def _signed_for(request: Request) -> int | None:
    return request.user.pk if read_flag(request, "signed_links", settings.MEDIA_SIGNED_LINKS) else None


class Tasks(APIView):
    @extend_schema(operation_id="tasks_list", parameters=LIST_PARAMETERS, responses=TaskPage)
    def get(self, request: Request) -> Response:
        if request.query_params.get("view"):
            raise NotFound("No View matches the given query.")
        if not request.query_params.get("project"):
            return Response({"detail": "Neither project nor view id specified"}, status=status.HTTP_404_NOT_FOUND)
        project = get_project(request.user, request.query_params["project"])
        page = read_page(request, default=PAGE_SIZE, maximum=MAX_PAGE_SIZE)
        tasks, whole = list_tasks(project.pk, request)
        full, resolve = _wants_all(request), read_flag(request, "resolve_uri", True)
        totals = _totals(project) if whole else _counted(tasks)
        page.require(totals["total"])
        ids = list(tasks.values_list("id", flat=True)[page.offset : page.offset + page.size])
        payloads = present_tasks(ids, full=full, resolve=resolve, signed_for=_signed_for(request))
        if include := request.query_params.get("include"):
            keys = {key.strip() for key in include.split(",")}
            payloads = [{key: value for key, value in payload.items() if key in keys} for payload in payloads]
        return Response({"tasks": payloads, **totals})

    @extend_schema(operation_id="tasks_create", request=TaskWrite, responses={201: FlatTask})
    def post(self, request: Request) -> Response:
        serializer = TaskWrite(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields = serializer.validated_data
        if "project" not in fields:
            raise ValidationError({"project": ["This field is required."]})
        project = get_project(request.user, fields["project"])
        _check_keys(project, fields["data"])
        draft = TaskDraft(fields["data"], fields.get("meta"), fields.get("allow_skip", True))
        with settled(), transaction.atomic():
            (task_id,) = create_tasks(project, [draft])
        return Response(present_flat([task_id], resolve=False)[0], status=status.HTTP_201_CREATED)


def _totals(project: Project) -> dict[str, int]:
    return {
        "total": project.task_number,
        "total_annotations": project.total_annotations_number,
        "total_predictions": project.total_predictions_number,
    }


def _counted(tasks: Any) -> dict[str, int]:
    sums = tasks.order_by().aggregate(total_annotations=Sum("total_annotations"), total_predictions=Sum("total_predictions"))
    return {"total": tasks.count(), **{name: value or 0 for name, value in sums.items()}}


class TaskDetail(APIView):
    @extend_schema(operation_id="tasks_get", parameters=[RESOLVE, SIGNED_LINKS], responses=TaskShape)
    def get(self, request: Request, pk: int) -> Response:
        task = get_task(request.user, pk)
        return self._answer(task.pk, resolve=read_flag(request, "resolve_uri", True), signed_for=_signed_for(request))

    @extend_schema(operation_id="tasks_update", request=TaskWrite(partial=True), responses=TaskShape)
    def patch(self, request: Request, pk: int) -> Response:
        task = get_task(request.user, pk)
        serializer = TaskWrite(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        changes = dict(serializer.validated_data)
        project = get_project(request.user, changes.pop("project", task.project_id))
        if project.pk != task.project_id:
            raise ValidationError({"project": ["a task stays in its project; import it into the other one instead"]})
        if "data" in changes:
            _check_keys(project, changes["data"])
        with settled():
            edit_task(task, request.user.pk, changes)
        return self._answer(task.pk, resolve=False)

    @extend_schema(operation_id="tasks_delete", responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        task = get_task(request.user, pk)
        delete_tasks(task.project_id, [task.pk])
        return Response(status=status.HTTP_204_NO_CONTENT)

    @staticmethod
    def _answer(task_id: int, *, resolve: bool, signed_for: int | None = None) -> Response:
        payloads = present_tasks([task_id], full=True, resolve=resolve, signed_for=signed_for)
        if not payloads:
            raise NotFound("No Task matches the given query.")
        return Response(payloads[0])


class ProjectTasks(APIView):
    @extend_schema(operation_id="projects_tasks_list", parameters=PAGING, responses=FlatTask(many=True))
    def get(self, request: Request, pk: int) -> Response:
        project = get_project(request.user, pk)
        page = read_page(request, default=PAGE_SIZE, maximum=MAX_PAGE_SIZE)
        page.require(project.task_number)
        tasks, _ = list_tasks(project.pk, request)
        ids = list(tasks.values_list("id", flat=True)[page.offset : page.offset + page.size])
        return Response(present_flat(ids, resolve=False))

    @extend_schema(operation_id="projects_tasks_delete_all", responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        delete_tasks(get_project(request.user, pk).pk)
        return Response(status=status.HTTP_204_NO_CONTENT)
