"""Who may read which object."""

from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.http.response import HttpResponseBase
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from projects.access import key_of, projects_of, visible_projects
from storages.backends import schemes
from storages.errors import RangeNotSatisfiable
from storages.links import ImportLink
from storages.media import signed_links, uris
from storages.media.by_link import LinkAuthentication, granted
from storages.media.resolve import Source, Sources, choose, load_sources, sources_of, stamp_of
from storages.media.serving import serve
from storages.media.signed_links import Grant
from tasks.models import Task
from users.prepared import Prepared

MEDIA_ANSWERS = {
    (200, "*/*"): OpenApiTypes.BINARY,
    (206, "*/*"): OpenApiTypes.BINARY,
    304: OpenApiResponse(description="Not modified"),
    400: OpenApiResponse(description="The parameter is missing or cannot be read"),
    404: OpenApiResponse(description="Unknown, or not visible to you"),
    416: OpenApiResponse(description="The range begins behind the end of the object"),
}
LINK = [OpenApiParameter(name, int, description="Of a signed link") for name in ("user", "storage", "expires")]
FILEURI = OpenApiParameter("fileuri", str, required=True, description="Storage URI in URL-safe base64, or percent-encoded")
ANSWERS = MEDIA_ANSWERS | {
    303: OpenApiResponse(description="Location: signed URL"),
    503: OpenApiResponse(description="As many files as allowed are being streamed; Retry-After says when to come back"),
}
resolver_schema = extend_schema(tags=["Media"], parameters=[FILEURI], responses=ANSWERS)
link_schema = extend_schema(tags=["Media"], parameters=[FILEURI, *LINK], responses=ANSWERS)


class LinkScheme(OpenApiAuthenticationExtension):
    """Names signed links for the OpenAPI document."""

    target_class = LinkAuthentication
    name = "SignedLink"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        told = "A signed link: its parameters user, storage and expires belong to the signature"
        return {"type": "apiKey", "in": "query", "name": "signature", "description": told}


class AnyType(BaseContentNegotiation):
    """``Accept: image/png`` is no reason for a 406: the object has the type it has, and only errors are rendered."""

    def select_parser(self, request: Request, parsers: list) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: list[BaseRenderer], format_suffix: str | None = None) -> tuple:
        return renderers[0], renderers[0].media_type


class MediaView(APIView):
    """Answers of media views: errors in the envelope, a 416 with the object's size."""

    content_negotiation_class = AnyType

    def handle_exception(self, exc: Exception) -> Response:
        response = super().handle_exception(exc)
        if isinstance(exc, RangeNotSatisfiable) and exc.size is not None:
            response["Content-Range"] = f"bytes */{exc.size}"
        return response

    def find(self, candidates: list[str], sources: Sources, own: int | None = None) -> tuple[Source, str]:
        """The source of the first of ``candidates`` that one holds, and the key there. Raises NotFound, StorageError."""
        found = next((held for uri in candidates if (held := choose(uri, sources.usable, own))), None)
        if found is None:
            if sources.broken:
                raise sources.broken[0]
            raise NotFound(
                "No storage of this project holds this URI; compare its bucket and prefix with the storages' settings."
            )
        return found


def _task(pk: int, organization: int) -> QuerySet:
    """Project, data, the stamp of the project's storages, and the storage and key that the task was made from."""
    link = ImportLink.objects.filter(task=OuterRef("pk")).order_by("id")
    own = [Subquery(link.values(column)[:1]) for column in ("storage_id", "key")]
    tasks = Task.objects.filter(pk=pk, project__in=projects_of(organization))
    return tasks.values_list("project_id", "data", stamp_of("project_id"), *own)


TASK = Prepared(_task, int, int)


class TaskMedia(MediaView):
    """Media of a task: only URIs that occur in the task's data."""

    authentication_classes = [LinkAuthentication, *MediaView.authentication_classes]

    @link_schema
    def get(self, request: Request, pk: int) -> HttpResponseBase:
        if isinstance(request.auth, Grant):
            return serve(request, *granted(request.auth), request.user.pk, pk, signed_links.left(request.auth))
        return serve(request, *self.permitted(request, pk), request.user.pk, pk)

    def permitted(self, request: Request, pk: int) -> tuple[Source, str]:
        """What the caller asks for, if it is in the data of a task that the caller sees. Raises NotFound, ParseError."""
        candidates = asked_uris(request)
        task = TASK.one(key_of(pk), request.user.active_organization_id or 0)
        if task is None:
            raise NotFound("No Task matches the given query.")
        project_id, data, stamp, own_id, own_key = task
        sources = sources_of(project_id, stamp)
        present = set(uris.occurring(data, schemes(), sources.own_uri(own_id, own_key)))
        if not (found := [uri for uri in candidates if uri in present]):
            raise NotFound("This URI does not occur in the task's data.")
        return self.find(found, sources, own_id)


class ProjectMedia(MediaView):
    """Media of a project: URIs inside the container and root of one of its import storages."""

    @resolver_schema
    def get(self, request: Request, pk: int) -> HttpResponseBase:
        candidates = asked_uris(request)
        if not visible_projects(request.user).filter(pk=pk).exists():
            raise NotFound("No Project matches the given query.")
        source, key = self.find(candidates, load_sources([pk])[pk])
        return serve(request, source, key, request.user.pk)


def asked_uris(request: Request) -> list[str]:
    """What ``fileuri`` can mean, likeliest first. Raises ParseError if it is missing or no URI."""
    if not (fileuri := request.query_params.get("fileuri", "")):
        raise ParseError("Query parameter fileuri is required: a storage URI such as s3://bucket/key in URL-safe base64.")
    if not (candidates := uris.decode(fileuri)):
        raise ParseError("fileuri is neither URL-safe base64 of a storage URI nor a percent-encoded storage URI.")
    return candidates
