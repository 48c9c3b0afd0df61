"""GET /data/local-files/?d=<path below the document root>: files in the directory of a storage the caller may see."""

import os

from django.conf import settings
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request

from projects.access import visible_projects
from storages.backends import BACKENDS
from storages.errors import StorageError
from storages.media import audit
from storages.media.resolve import Source
from storages.media.stream import respond
from storages.media.views import MEDIA_ANSWERS, MediaView
from users.models import User

PATH = OpenApiParameter("d", str, required=True, description="Path relative to the document root")


class LocalFile(MediaView):
    """A file grants nothing by itself: an import storage of the caller's organization must hold its directory."""

    @extend_schema(
        tags=["Media"], parameters=[PATH], responses=MEDIA_ANSWERS | {403: OpenApiResponse(description="Switched off")}
    )
    def get(self, request: Request) -> HttpResponseBase:
        if not (settings.LOCAL_FILES_SERVING_ENABLED and settings.LOCAL_FILES_DOCUMENT_ROOT):
            raise PermissionDenied(
                "Local files are switched off; set LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and "
                "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT, and restart the server."
            )
        if not (relative := request.query_params.get("d", "")):
            raise PermissionDenied("Query parameter d is required: the file's path relative to the document root.")
        source, key = _locate(relative, request.user)
        response = respond(request, source.client, key, source.storage.pk)
        audit.record(request, response, source, key, request.user.pk, None)
        return response


def _locate(relative: str, user: User) -> tuple[Source, str]:
    """The storage that holds the file, and its key there. Raises NotFound, also for whatever lies elsewhere.

    Both the path as written and the real path must lie in one storage's directory, compared with a closing "/", so that
    neither "..", a symbolic link nor a sibling ``ds-private`` of ``ds`` passes. The client checks the opened file again.
    """
    gone = NotFound("No such file in a local storage of your organization.")
    if "\0" in relative:
        raise gone
    root = os.path.realpath(settings.LOCAL_FILES_DOCUMENT_ROOT)
    written = os.path.normpath(os.path.join(root, relative.lstrip("/")))
    real = os.path.realpath(written)
    if not os.path.isfile(real):
        raise gone
    for storage in BACKENDS["localfiles"].import_model.objects.filter(project__in=visible_projects(user)).order_by("id"):
        try:
            client = storage.client()
        except StorageError:
            continue  # its directory is gone or no longer allowed: it grants nothing
        if real.startswith(client.root):
            return Source(storage, client), written if written.startswith(client.root) else real
    raise gone
