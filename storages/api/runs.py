"""The runs of a storage: what a sync did and is doing, its issues, and how it is cancelled or its failures tried again.

One set of views for all backends; each route binds them to a direction. A look at a run costs one query, and no secret of
the storage is read for it.
"""

from collections.abc import Callable
from itertools import groupby
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.cache import get_conditional_response
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from projects.access import key_of, visible_projects
from projects.paging import read_page
from projects.parameters import read_text
from storages import jobs
from storages.api import run_shapes as shapes
from storages.api import starting
from storages.api.errors import to_validation_error
from storages.api.views import IMPORT
from storages.backends import BACKENDS
from storages.base import ExportStorage, ImportStorage, Storage
from storages.errors import StorageError
from storages.links import ImportLink
from storages.status import runs_of

PAGE_SIZE, MAX_PAGE_SIZE = 30, 100
PAGING = [
    OpenApiParameter("page", int, description="from 1; past the end 404"),
    OpenApiParameter("page_size", int, description=f"default {PAGE_SIZE}, at most {MAX_PAGE_SIZE}"),
]
TYPE = OpenApiParameter("type", str, OpenApiParameter.PATH, enum=list(BACKENDS), description="the storage's backend")
CODE = OpenApiParameter("code", str, description="only issues of this class")
TAG = OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER, description="the ETag of the answer before")
NEWS = OpenApiResponse(shapes.RunShape, description="As it is now; ETag tells whether it is the same as before")
SAME = OpenApiResponse(description="Nothing has changed since If-None-Match; no body")
ENDED = OpenApiResponse(description="Nothing to cancel: no sync is queued or running; the error envelope")
NOTHING = OpenApiResponse(description="Nothing has failed, or the storage cannot be reached; the error envelope")


class NothingToCancel(exceptions.APIException):
    """The run has ended, maybe a moment ago."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "nothing_to_cancel"


class RunSchema(AutoSchema):
    """Operation ids such as ``import_storage_runs_list``; a path with a run has its own."""

    def get_operation_id(self) -> str:
        place = "run" if "{run}" in self.path else "storage"
        return f"{self.view.direction}_{place}_{self.view.action}"

    def get_tags(self) -> list[str]:
        return [f"{self.view.direction.capitalize()} runs"]


class RunView(APIView):
    """A view of the storage, and maybe the run, that the path names."""

    direction: ClassVar[str] = IMPORT
    action: ClassVar[str] = ""
    schema = RunSchema()

    @property
    def parent(self) -> type[Storage]:
        return ImportStorage if self.direction == IMPORT else ExportStorage

    def storages(self) -> QuerySet:
        mine = self.parent.objects.filter(project__in=visible_projects(self.request.user))
        return mine.filter(pk=key_of(self.kwargs["pk"]), type=self.kwargs["type"])

    def require_storage(self) -> int:
        """The storage's id. Raises Http404."""
        return self.found(self.storages().values_list("pk", flat=True).first(), self.parent.__name__)

    def runs(self) -> QuerySet:
        """Rows of the storage's runs, the newest first; owner and storage are checked in the same query."""
        model = runs_of(self.parent())
        rows = model.objects.filter(storage_id=key_of(self.kwargs["pk"]), storage__type=self.kwargs["type"])
        rows = rows.filter(storage__project__in=visible_projects(self.request.user))
        return rows.order_by("-id").values(*shapes.columns(model))

    def require_run(self) -> dict[str, Any]:
        """The row of the run in the path. Raises Http404."""
        return self.found(self.runs().filter(pk=key_of(self.kwargs["run"])).first(), "Run")

    def found(self, row: Any, name: str) -> Any:
        if row is None:
            raise Http404(f"No {name} matches the given query.")
        return row

    def present(self, row: dict[str, Any]) -> dict[str, Any]:
        ids = {"type": row["storage__type"], "pk": row["storage_id"], "run": row["id"]}
        return shapes.present(row, self.request.build_absolute_uri(reverse(f"{self.direction}-run-issues", kwargs=ids)))

    def paged(self, rows: QuerySet, present: Callable[[Any], Any]) -> Response:
        """One page of ``rows``; ``present`` makes its results from the list of them."""
        page, total = read_page(self.request, default=PAGE_SIZE, maximum=MAX_PAGE_SIZE), rows.count()
        page.require(total)
        links = {"next": page.link(self.request, total, 1), "previous": page.link(self.request, total, -1)}
        return Response({"count": total, **links, "results": present(list(rows[page.offset : page.offset + page.size]))})


class RunList(RunView):
    """All syncs of a storage, the newest first."""

    action = "runs_list"

    @extend_schema(parameters=[TYPE, *PAGING], responses=shapes.RunPage)
    def get(self, request: Request, **ids: Any) -> Response:
        self.require_storage()
        return self.paged(self.runs(), lambda rows: [self.present(row) for row in rows])


class RunDetail(RunView):
    """One sync. Cheap to ask for again and again: every second will do, with If-None-Match."""

    action = "get"

    @extend_schema(parameters=[TYPE, TAG], responses={200: NEWS, 304: SAME})
    def get(self, request: Request, **ids: Any) -> HttpResponseBase:
        row = self.require_run()
        tag = shapes.version(row)
        answer = Response(self.present(row), headers={"ETag": tag, "Cache-Control": "private, no-cache"})
        return get_conditional_response(request, etag=tag, response=answer)


class RunIssues(RunView):
    """What could not be dealt with in a run, and why; in the order in which it was found."""

    action = "issues_list"

    @extend_schema(parameters=[TYPE, CODE, *PAGING], responses=shapes.IssuePage)
    def get(self, request: Request, **ids: Any) -> Response:
        self.require_run()
        model = runs_of(self.parent())
        rows = model._meta.get_field("issues").related_model.objects.filter(run_id=key_of(self.kwargs["run"]))
        if code := read_text(request, "code"):
            rows = rows.filter(code=code)
        return self.paged(rows.order_by("id").values("id", "key", "row", "code", "message", "created_at"), list)


class RunCancel(RunView):
    """Ends the run that is queued or going on; what it has committed or written stays.

    The next sync of a source goes on from there. A target still gets every change of an annotation; the rest of a cancelled
    sync comes with the next one, that of a retry by itself. A cancelled snapshot has no manifest, so that nobody reads it.
    """

    action = "cancel"

    @extend_schema(parameters=[TYPE], request=None, responses={200: shapes.RunShape, 409: ENDED})
    def post(self, request: Request, **ids: Any) -> Response:
        if "run" in ids:
            row = self.require_run()
        else:
            self.require_storage()
            row = self.runs().first()
        if row is None or not jobs.cancel(runs_of(self.parent())(pk=row["id"]), request.user):
            raise NothingToCancel("this run has ended" if "run" in ids else "no sync of this storage is queued or running")
        return Response(self.present(self.found(self.runs().filter(pk=row["id"]).first(), "Run")))


class RunRetry(RunView):
    """Imports (or writes) the objects once more that failed and were not dealt with since, and no others.

    They are those of the storage, whichever run they failed in. While a sync is queued or running nothing is started, and
    that one is the answer.
    """

    action = "retry"

    @extend_schema(parameters=[TYPE], request=None, responses={200: shapes.RunShape, 400: NOTHING})
    def post(self, request: Request, **ids: Any) -> Response:
        if "run" in ids:
            self.require_run()
        storage = self.found(self.storages().select_related("run", "project").first(), self.parent.__name__)
        if not storage.synchronizable:
            return Response({"message": f"Storage {storage.pk} is not synchronizable"}, status=status.HTTP_400_BAD_REQUEST)
        if not (storage.run and storage.run.active):
            self._start(storage.concrete())
        return Response(self.present(self.found(self.runs().first(), "Run")))

    def _start(self, storage: Storage) -> None:
        if not starting.failed(storage).exists():
            message = "no object of this storage has failed; a sync goes on where one that was ended stopped"
            raise exceptions.ValidationError(message)
        try:
            starting.start_retry(storage, self.request.user)
        except StorageError as error:
            raise to_validation_error(error) from error


class Flagged(RunView):
    """Objects that changed or vanished since they were imported, as far as the policies of the storage mark them."""

    action = "flagged_list"

    @extend_schema(parameters=[TYPE, *PAGING], responses=shapes.FlaggedPage)
    def get(self, request: Request, **ids: Any) -> Response:
        links = ImportLink.objects.filter(storage_id=self.require_storage()).exclude(flag="").order_by("id")
        return self.paged(links.values_list("key", "flag", "task_id"), _by_object)


def _by_object(rows: list[tuple[str, str, int]]) -> list[dict[str, Any]]:
    groups = groupby(rows, key=lambda row: row[:2])
    return [{"key": key, "flag": flag, "tasks": [task for *_, task in tasks]} for (key, flag), tasks in groups]
