"""The annotation endpoints, single and bulk, and who annotated a project."""

from typing import Any

from django.db import transaction
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from projects.access import get_project
from projects.serializers import UserBrief
from tasks.access import get_annotation, get_task, tasks_by_project
from tasks.api.races import settled
from tasks.api.schema import AnnotationShape, CreatedId, DeletedCount
from tasks.authors import Authors
from tasks.deletion import delete_annotations
from tasks.drafts import AnnotationDraft
from tasks.models import Annotation, Task
from tasks.presenting import present_annotations
from tasks.selecting import select_tasks
from tasks.serializers import AnnotationBulk, AnnotationBulkDelete, AnnotationWrite
from tasks.writing import annotate, annotate_many, edit_annotation
from users.models import User

ORDERINGS = {"id", "created_at", "updated_at"}
MAX_BULK = 10_000


def _fields(serializer: AnnotationWrite, user: User) -> dict[str, Any]:
    """The columns to write; whoever is named as author must belong to the user's organization."""
    serializer.is_valid(raise_exception=True)
    fields = dict(serializer.validated_data)
    if "completed_by" in fields:
        try:
            fields["completed_by_id"] = Authors(user.active_organization_id).resolve(fields.pop("completed_by"))
        except LookupError as error:
            raise ValidationError({"completed_by": [error.args[0]]}) from None
    return fields


class TaskAnnotations(APIView):
    @extend_schema(
        operation_id="annotations_list",
        parameters=[OpenApiParameter("ordering", str, description="id, created_at or updated_at; - for descending")],
        responses=AnnotationShape(many=True),
    )
    def get(self, request: Request, pk: int) -> Response:
        task = get_task(request.user, pk)
        ordering = request.query_params.get("ordering") or "id"
        if ordering.removeprefix("-") not in ORDERINGS:
            raise ValidationError({"ordering": [f"{ordering[:50]!r} is not one of {', '.join(sorted(ORDERINGS))}"]})
        return Response(present_annotations(Annotation.objects.filter(task_id=task.pk), ordering))

    @extend_schema(operation_id="annotations_create", request=AnnotationWrite, responses={201: AnnotationShape})
    def post(self, request: Request, pk: int) -> Response:
        task = get_task(request.user, pk)
        fields = {"completed_by_id": request.user.pk, **_fields(AnnotationWrite(data=request.data), request.user)}
        with settled():
            annotation_id = annotate(task, request.user.pk, fields)
        return _answer(annotation_id, status.HTTP_201_CREATED)


def _answer(annotation_id: int, code: int = status.HTTP_200_OK) -> Response:
    for payload in present_annotations(Annotation.objects.filter(pk=annotation_id), "id"):
        return Response(payload, status=code)
    raise NotFound("No Annotation matches the given query.")


class AnnotationDetail(APIView):
    @extend_schema(operation_id="annotations_get", responses=AnnotationShape)
    def get(self, request: Request, pk: int) -> Response:
        return _answer(get_annotation(request.user, pk).pk)

    @extend_schema(operation_id="annotations_update", request=AnnotationWrite(partial=True), responses=AnnotationShape)
    def patch(self, request: Request, pk: int) -> Response:
        annotation = get_annotation(request.user, pk)
        changes = _fields(AnnotationWrite(annotation, data=request.data, partial=True), request.user)
        with settled():
            edit_annotation(annotation, request.user.pk, changes)
        return _answer(annotation.pk)

    @extend_schema(operation_id="annotations_delete", responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        annotation = get_annotation(request.user, pk)
        delete_annotations(annotation.project_id, [annotation.pk])
        return Response(status=status.HTTP_204_NO_CONTENT)


class BulkAnnotations(APIView):
    @extend_schema(operation_id="annotations_create_bulk", request=AnnotationBulk, responses={201: CreatedId(many=True)})
    def post(self, request: Request) -> Response:
        fields = _fields(AnnotationBulk(data=request.data), request.user)
        groups = self._groups(request, fields.pop("tasks", None), fields.pop("project", None), fields.pop("selected_items", None))
        author = fields.pop("completed_by_id", request.user.pk)
        draft = AnnotationDraft(**{"bulk_created": True, **fields}, completed_by=author, updated_by=request.user.pk)
        ids: list[int] = []
        with settled(), transaction.atomic():
            for project_id, task_ids in sorted(groups.items()):  # everybody locks projects in this order
                ids += annotate_many(project_id, task_ids, draft)
        return Response([{"id": annotation_id} for annotation_id in ids], status=status.HTTP_201_CREATED)

    @staticmethod
    def _groups(request: Request, tasks: list[int] | None, project_id: int | None, selected: Any) -> dict[int, list[int]]:
        """Task ids by project, from the list of tasks or from the selection."""
        if tasks:
            return tasks_by_project(request.user, tasks)
        if project_id is None or selected is None:
            raise ValidationError("name the tasks: either tasks, or project and selected_items")
        project = get_project(request.user, project_id)
        chosen = select_tasks(Task.objects.filter(project_id=project.pk), selected).order_by("id")
        ids = list(chosen.values_list("id", flat=True)[: MAX_BULK + 1])
        if len(ids) > MAX_BULK:
            raise ValidationError({"selected_items": [f"more than {MAX_BULK:,} tasks; select fewer at a time"]})
        return {project.pk: ids}


class BulkDelete(APIView):
    @extend_schema(operation_id="annotations_delete_bulk", request=AnnotationBulkDelete, responses=DeletedCount)
    def post(self, request: Request) -> Response:
        serializer = AnnotationBulkDelete(data=request.data)
        serializer.is_valid(raise_exception=True)
        project = get_project(request.user, serializer.validated_data["project"])
        return Response({"deleted_count": delete_annotations(project.pk, serializer.validated_data["ids"])})


class Annotators(APIView):
    @extend_schema(operation_id="projects_annotators", responses=UserBrief(many=True))
    def get(self, request: Request, pk: int) -> Response:
        project = get_project(request.user, pk)
        authors = Annotation.objects.filter(project_id=project.pk).order_by().values("completed_by_id").distinct()
        return Response(UserBrief(User.objects.filter(pk__in=authors).order_by("id"), many=True).data)
