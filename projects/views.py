"""The project endpoints; who may see what is projects.access, what a project holds is another app's."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from projects import label_config, saving, signals
from projects.access import get_project, visible_projects
from projects.listing import select_projects
from projects.models import Project
from projects.paging import read_page
from projects.serializers import COUNTERS, ConfigCheck, CountsPage, CountsSerializer, ProjectPage, ProjectSerializer

LIST_PARAMETERS = [
    OpenApiParameter("page", int, description="from 1; past the end 404"),
    OpenApiParameter("page_size", int, description="default 30, at most 100"),
    OpenApiParameter("ordering", str, description="id, title or created_at; - for descending; newest first by default"),
    OpenApiParameter("ids", str, description="comma-separated project ids"),
    OpenApiParameter("title", str, description="part of the title, any case"),
    OpenApiParameter("search", str, description="part of title or description, any case"),
    OpenApiParameter("filter", str, description="all, pinned_only or exclude_pinned"),
    OpenApiParameter("include", str, description="comma-separated keys to return; all by default"),
]


def listed(request: Request, serializer: type) -> Response:
    """One page of the visible projects in the form ``count, next, previous, results``."""
    projects = select_projects(visible_projects(request.user), request)
    page, total = read_page(request, default=30, maximum=100), projects.count()
    page.require(total)
    rows = projects.select_related("created_by")[page.offset : page.offset + page.size]
    results = serializer(rows, many=True).data
    if include := request.query_params.get("include"):
        keys = {key.strip() for key in include.split(",")}
        results = [{key: value for key, value in item.items() if key in keys} for item in results]
    links = {"next": page.link(request, total, 1), "previous": page.link(request, total, -1)}
    return Response({"count": total, **links, "results": results})


class Projects(APIView):
    @extend_schema(operation_id="projects_list", parameters=LIST_PARAMETERS, responses=ProjectPage)
    def get(self, request: Request) -> Response:
        return listed(request, ProjectSerializer)

    @extend_schema(operation_id="projects_create", request=ProjectSerializer, responses={201: ProjectSerializer})
    def post(self, request: Request) -> Response:
        project = saving.create(request.data, request.user)
        body = {**ProjectSerializer(project).data, **dict.fromkeys(COUNTERS)}  # null, as Label Studio answers here
        return Response(body, status=status.HTTP_201_CREATED)


class ProjectCounts(APIView):
    @extend_schema(operation_id="projects_counts", parameters=LIST_PARAMETERS, responses=CountsPage)
    def get(self, request: Request) -> Response:
        return listed(request, CountsSerializer)


class ProjectDetail(APIView):
    @extend_schema(operation_id="projects_get", responses=ProjectSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(ProjectSerializer(get_project(request.user, pk)).data)

    @extend_schema(operation_id="projects_update", request=ProjectSerializer(partial=True), responses=ProjectSerializer)
    def patch(self, request: Request, pk: int) -> Response:
        project = get_project(request.user, pk)
        saving.change(project, request.data)
        return Response(ProjectSerializer(get_project(request.user, pk)).data)

    @extend_schema(operation_id="projects_delete", responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        signals.delete_requested.send(Project, project=get_project(request.user, pk))
        return Response(status=status.HTTP_204_NO_CONTENT)


class ProjectValidate(APIView):
    @extend_schema(operation_id="projects_validate_label_config", request=ConfigCheck, responses=ConfigCheck)
    def post(self, request: Request, pk: int) -> Response:
        get_project(request.user, pk)
        serializer = ConfigCheck(data=request.data)
        serializer.is_valid(raise_exception=True)
        config = serializer.validated_data["label_config"]
        if not config.strip():
            raise ValidationError({"label_config": ["the label config is empty; the smallest one is <View></View>"]})
        try:
            label_config.check(config)
        except label_config.ConfigError as error:
            raise ParseError(str(error)) from None  # 400 whose detail is the message itself
        return Response({"label_config": config})
