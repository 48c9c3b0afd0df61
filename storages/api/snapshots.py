"""The request for a snapshot: a POST that queues a run, which is then looked at like every other."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import exceptions, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from projects.access import visible_projects
from storages.api import run_shapes as shapes
from storages.api import starting
from storages.api.errors import to_validation_error
from storages.api.runs import TYPE, RunView
from storages.api.views import EXPORT
from storages.base import ExportStorage
from storages.errors import StorageError
from storages.snapshots.places import FORMATS, NAME

STARTED = OpenApiResponse(shapes.RunShape, description="The run; ask for it at …/runs/{id}, and end it with …/runs/{id}/cancel")
BUSY = OpenApiResponse(description="A sync or a snapshot of this target is queued or under way; the error envelope")
REFUSED = OpenApiResponse(description="A bad format or name, or the target cannot be reached; the error envelope")


class SnapshotRequest(serializers.Serializer):
    """What kind of snapshot to write."""

    format = serializers.ChoiceField(FORMATS, default="jsonl", help_text="JSON Lines, or Parquet with nested parts as JSON text")
    name = serializers.RegexField(
        rf"\A{NAME.pattern}\Z",
        required=False,
        help_text="end of the folder's name: up to 64 letters, digits, dots, dashes, underscores; no dot or dash at its ends",
    )


class Busy(exceptions.APIException):
    """One run at a time per target."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "busy"


class Snapshot(RunView):
    """Writes all annotated tasks of the project, as they are at one moment, with their annotations and predictions.

    They go to a new folder ``snapshots/{project}/{time}-{run}/`` below the target's prefix: shards of up to 10,000 tasks, and
    last of all ``manifest.json`` with counts and SHA-256 checksums. A folder without a manifest is no snapshot. A source with
    the import method "Tasks" and the folder as its prefix imports it again.
    """

    direction = EXPORT
    action = "snapshot"

    @extend_schema(parameters=[TYPE], request=SnapshotRequest, responses={201: STARTED, 400: REFUSED, 409: BUSY})
    def post(self, request: Request, **ids: Any) -> Response:
        found = self.storages().filter(project__in=visible_projects(request.user)).select_related("run", "project")
        storage = self.found(found.first(), self.parent.__name__)
        wanted = SnapshotRequest(data=request.data)
        wanted.is_valid(raise_exception=True)
        if not storage.synchronizable:
            return Response({"message": f"Storage {storage.pk} is not synchronizable"}, status=status.HTTP_400_BAD_REQUEST)
        self._start(storage.concrete(), **wanted.validated_data)
        return Response(self.present(self.found(self.runs().first(), "Run")), status=status.HTTP_201_CREATED)

    def _start(self, storage: ExportStorage, *, format: str, name: str = "") -> None:  # noqa: A002 - the member of the request
        try:
            run = starting.start_snapshot(storage, self.request.user, form=format, name=name)
        except StorageError as error:
            raise to_validation_error(error) from error
        if run is None:
            raise Busy("a sync or a snapshot of this target is queued or under way; wait for its end or cancel it")
