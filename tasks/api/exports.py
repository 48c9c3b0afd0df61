"""Download of a project's tasks with their annotations, streamed: memory does not grow with the project."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django.db.models import Q
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from projects.access import get_project
from projects.parameters import read_flag, read_ids
from tasks.api.schema import Format
from tasks.api.streams import json_array
from tasks.models import Task
from tasks.payloads import flat_payloads, task_ids_after, task_payloads

CHUNK = 500  # tasks in memory at once
GUIDE = "https://labelstud.io/guide/export#Export-formats-supported-by-Label-Studio"


def _whole(task_ids: Sequence[int]) -> Iterator[dict[str, Any]]:
    return (payload for _, payload in task_payloads(task_ids))


FORMATS: dict[str, tuple[str, Callable[[Sequence[int]], Iterable[dict[str, Any]]]]] = {
    "JSON": ("Tasks with everything known of their annotations; can be imported again.", _whole),
    "JSON_MIN": ("One object for each annotation: data keys and labels side by side.", flat_payloads),
}
PARAMETERS = [
    OpenApiParameter("export_type", str, enum=list(FORMATS), description="default JSON"),
    OpenApiParameter("exportType", str, enum=list(FORMATS), description="older name of export_type"),
    OpenApiParameter("download_all_tasks", bool, description="default false: annotated tasks only"),
    OpenApiParameter("download_resources", bool, description="accepted; media are never part of an export"),
    OpenApiParameter("ids", str, description="comma-separated task ids; all by default"),
]


class Export(APIView):
    @extend_schema(
        operation_id="projects_export", parameters=PARAMETERS, responses={(200, "application/json"): OpenApiTypes.BINARY}
    )
    def get(self, request: Request, pk: int) -> StreamingHttpResponse:
        project = get_project(request.user, pk)
        name = request.query_params.get("export_type") or request.query_params.get("exportType") or "JSON"
        if name not in FORMATS:
            raise ValidationError({"export_type": [f"{name[:50]!r} is not one of {', '.join(FORMATS)}"]})
        read_flag(request, "download_resources", False)
        wanted = Q() if read_flag(request, "download_all_tasks", False) else ~Q(total_annotations=0, cancelled_annotations=0)
        ids = read_ids(request, "ids")
        if ids:
            wanted &= Q(pk__in=ids)
        pages = (FORMATS[name][1](page) for page in _pages(project.pk, wanted))
        response = StreamingHttpResponse(json_array(pages), content_type="application/json")
        response["Content-Disposition"] = f'attachment; filename="project-{project.pk}.json"'
        return response


def _pages(project_id: int, wanted: Q) -> Iterator[list[int]]:
    after = 0
    while page := task_ids_after(Task.objects.filter(wanted, project_id=project_id), after, CHUNK):
        yield page
        after = page[-1]


class ExportFormats(APIView):
    @extend_schema(operation_id="projects_export_formats", responses=Format(many=True))
    def get(self, request: Request, pk: int) -> Response:
        get_project(request.user, pk)
        return Response(
            [
                {"name": name, "title": name.replace("_", "-"), "description": text, "link": GUIDE, "tags": []}
                for name, (text, _) in FORMATS.items()
            ]
        )
