"""The one data-manager action there is: delete the chosen tasks."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from projects.access import get_project
from tasks.api.schema import Action, ActionReport
from tasks.deletion import delete_tasks
from tasks.filters import filter_tasks
from tasks.models import Task
from tasks.selecting import select_tasks
from tasks.serializers import ActionWrite

ACTIONS = [{"id": "delete_tasks", "title": "Delete Tasks", "order": 100}]
PROJECT = OpenApiParameter("project", int, required=True)


class Actions(APIView):
    @extend_schema(operation_id="actions_list", parameters=[PROJECT], responses=Action(many=True))
    def get(self, request: Request) -> Response:
        get_project(request.user, request.query_params.get("project"))
        return Response(ACTIONS)

    @extend_schema(
        operation_id="actions_create",
        parameters=[PROJECT, OpenApiParameter("id", str, required=True, enum=["delete_tasks"])],
        request=ActionWrite,
        responses=ActionReport,
    )
    def post(self, request: Request) -> Response:
        project = get_project(request.user, request.query_params.get("project"))
        if request.query_params.get("id") != "delete_tasks":
            raise ValidationError({"id": ["the only action is delete_tasks"]})
        serializer = ActionWrite(data=request.data)
        serializer.is_valid(raise_exception=True)
        selected = serializer.validated_data.get("selectedItems")
        if selected is None:
            raise ValidationError({"selectedItems": ['name the tasks, for instance {"all": false, "included": [1, 2]}']})
        tasks = filter_tasks(Task.objects.filter(project_id=project.pk), serializer.validated_data.get("filters"))
        ids = list(select_tasks(tasks, selected).order_by().values_list("id", flat=True))
        count = delete_tasks(project.pk, ids)
        return Response({"processed_items": count, "detail": f"Deleted {count} tasks"})
