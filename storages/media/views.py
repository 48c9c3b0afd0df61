"""Who may read which object; a permitted request is answered with a signed URL or handed on to be streamed."""

from typing import Any

from django.db.models import OuterRef, Subquery
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from projects.access import visible_projects
from storages.backends import schemes
from storages.errors import AccessDenied, RangeNotSatisfiable, Unsupported
from storages.links import ImportLink
from storages.media import uris
from storages.media.resolve import Sources, choose, load_sources
from storages.media.stream import respond
from tasks.models import Task

WEEK = 7 * 24 * 3600  # SigV4's X-Amz-Expires and GCS's V4 X-Goog-Expires allow 604,800 s at most
MARGIN = 60  # seconds a browser must still have when it follows a redirect it remembered
MEDIA_ANSWERS = {
    (200, "*/*"): OpenApiTypes.BINARY,
    (206, "*/*"): OpenApiTypes.BINARY,
    304: OpenApiResponse(description="Not modified"),
    400: OpenApiResponse(description="The parameter is missing or cannot be read"),
    404: OpenApiResponse(description="Unknown, or not visible to you"),
    416: OpenApiResponse(description="The range begins behind the end of the object"),
}
FILEURI = OpenApiParameter("fileuri", str, required=True, description="Storage URI in URL-safe base64, or percent-encoded")
resolver_schema = extend_schema(
    tags=["Media"], parameters=[FILEURI], responses=MEDIA_ANSWERS | {303: OpenApiResponse(description="Location: signed URL")}
)


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

    def serve(self, request: Request, candidates: list[str], sources: Sources, own: int | None = None) -> HttpResponseBase:
        """The answer for the first of ``candidates`` that a source holds. Raises NotFound, StorageError."""
        found = next((held for uri in candidates if (held := choose(uri, sources.usable, own))), None)
        if found is None:
            if sources.broken:
                raise sources.broken[0]
            raise NotFound(
                "No storage of this project holds this URI; compare its bucket and prefix with the storages' settings."
            )
        source, key = found
        # a signed URL is for GET only, so HEAD is answered here
        if request.method == "GET" and getattr(source.storage, "presign", False):
            ttl = min(max(source.storage.presign_ttl, 1) * 60, WEEK)
            try:
                return see_other(*source.client.signed(key, ttl))
            except (Unsupported, AccessDenied):
                pass  # this client cannot sign, or may not any more: the proxy serves what a redirect would have
        return respond(request, source.client, key, source.storage.pk)


class TaskMedia(MediaView):
    """Media of a task: only URIs that occur in the task's data."""

    @resolver_schema
    def get(self, request: Request, pk: int) -> HttpResponseBase:
        candidates = asked_uris(request)
        own = Subquery(ImportLink.objects.filter(task=OuterRef("pk")).order_by("id").values("storage_id")[:1])
        task = (
            Task.objects.filter(pk=pk, project__in=visible_projects(request.user)).values_list("project_id", "data", own).first()
        )
        if task is None:
            raise NotFound("No Task matches the given query.")
        project_id, data, own_id = task
        present = set(uris.occurring(data, schemes()))
        if not (permitted := [uri for uri in candidates if uri in present]):
            raise NotFound("This URI does not occur in the task's data.")
        return self.serve(request, permitted, load_sources([project_id])[project_id], own_id)


class ProjectMedia(MediaView):
    """Media of a project: URIs inside the container and root of one of its import storages."""

    @resolver_schema
    def get(self, request: Request, pk: int) -> HttpResponseBase:
        candidates = asked_uris(request)
        if not visible_projects(request.user).filter(pk=pk).exists():
            raise NotFound("No Project matches the given query.")
        return self.serve(request, candidates, load_sources([pk])[pk])


def asked_uris(request: Request) -> list[str]:
    """What ``fileuri`` can mean, likeliest first. Raises ParseError if it is missing or no URI."""
    if not (fileuri := request.query_params.get("fileuri", "")):
        raise ParseError("Query parameter fileuri is required: a storage URI such as s3://bucket/key in URL-safe base64.")
    if not (candidates := uris.decode(fileuri)):
        raise ParseError("fileuri is neither URL-safe base64 of a storage URI nor a percent-encoded storage URI.")
    return candidates


def see_other(url: str, ttl: int) -> HttpResponse:
    """A redirect to a URL signed for ``ttl`` seconds, which a browser may remember until a minute before it expires."""
    return HttpResponse(
        status=303,
        headers={
            "Location": url,
            "Cache-Control": f"private, max-age={max(ttl - MARGIN, 0)}",
            "Vary": "Authorization, Cookie",
            "Referrer-Policy": "no-referrer",
        },
    )
