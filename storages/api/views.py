"""The views of all storages, written once; each route binds them to a backend and a direction."""

from typing import Any, ClassVar

from django.conf import settings
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from projects.access import get_project, key_of, visible_projects
from storages import jobs
from storages.api import forms, starting
from storages.api.diagnosis import Diagnosis, diagnose
from storages.api.errors import to_validation_error
from storages.api.preview import preview_files
from storages.api.schema import OBJECTS, BackendSchema
from storages.backends import BACKENDS
from storages.base import Backend, ExportStorage, ImportStorage, Storage
from storages.errors import StorageError
from storages.serializers import StorageSerializer

IMPORT, EXPORT = "import", "export"
ONLY_NEW = OpenApiParameter("only_new", bool, description="Targets: leave out what was written since its last change")
PROJECT = OpenApiParameter("project", int, required=True, description="Project ID")


class BackendView(APIView):
    """A view of one backend in one direction; both are set by the route."""

    backend: ClassVar[Backend] = next(iter(BACKENDS.values()))
    direction: ClassVar[str] = IMPORT
    schema = BackendSchema()

    @property
    def model(self) -> type[Storage]:
        return self.backend.import_model if self.direction == IMPORT else self.backend.export_model

    def get_serializer_class(self) -> type[StorageSerializer]:
        return self.backend.import_serializer if self.direction == IMPORT else self.backend.export_serializer

    def get_serializer(self, *args: Any, check: bool = True, **kwargs: Any) -> StorageSerializer:
        return self.get_serializer_class()(*args, context={"request": self.request, "check": check}, **kwargs)

    def storages(self) -> Any:
        """This backend's storages in the caller's organization."""
        return self.model.objects.select_related("run").filter(project__in=visible_projects(self.request.user))

    def storage(self, pk: int) -> Storage:
        found = self.storages().select_related("project").filter(pk=pk).first() if pk < 2**63 else None
        if found is None:
            raise Http404(f"No {self.model.__name__} matches the given query.")
        return found

    def edited(self, request: Request) -> Storage | None:
        """The stored storage that a validate or files request refers to by ``id``; 404 for a stranger's."""
        value = request.data.get("id") if isinstance(request.data, dict) else None
        if value in (None, ""):
            return None
        if not (pk := key_of(value)):
            raise ValidationError({"id": ["A valid integer is required."]})
        return self.storage(pk)

    def draft(self, request: Request, *, check: bool) -> Storage:
        """An unsaved storage with the request's settings over the stored ones of ``id``; nothing is written."""
        serializer = self.get_serializer(self.edited(request), data=request.data, check=check)
        serializer.is_valid(raise_exception=True)
        return serializer.merged(serializer.validated_data)


class StorageList(BackendView):
    """List and create."""

    @extend_schema(parameters=[PROJECT, OpenApiParameter("ordering", str, description="Accepted; the order is by id")])
    def get(self, request: Request) -> Response:
        if "project" not in request.query_params:
            raise ValidationError('query parameter "project" is required')
        project = get_project(request.user, request.query_params["project"])
        rows = self.storages().filter(project=project).order_by("id")
        return Response(self.get_serializer(rows, many=True).data)

    def post(self, request: Request) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        storage = serializer.save()
        if self.direction == EXPORT and forms.sync_on_creation():
            jobs.start_export(storage, request.user, trigger="create")
        return Response(self.get_serializer(storage).data, status=status.HTTP_201_CREATED)


class StorageDetail(BackendView):
    """Read, change, replace, delete."""

    def get(self, request: Request, pk: int) -> Response:
        return Response(self.get_serializer(self.storage(pk)).data)

    def patch(self, request: Request, pk: int) -> Response:
        return self._save(request, pk, partial=True)

    @extend_schema(exclude=True)
    def put(self, request: Request, pk: int) -> Response:
        return self._save(request, pk, partial=False)

    def _save(self, request: Request, pk: int, *, partial: bool) -> Response:
        serializer = self.get_serializer(self.storage(pk), data=request.data, partial=partial)
        serializer.is_valid(raise_exception=True)
        return Response(self.get_serializer(serializer.save()).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        starting.delete(self.storage(pk))
        return Response(status=status.HTTP_204_NO_CONTENT)


class StorageValidate(BackendView):
    """Test connection; saves nothing, also with ``id``."""

    @extend_schema(responses={200: OpenApiResponse(description="The connection works; no body")})
    def post(self, request: Request) -> Response:
        self.draft(request, check=True)
        return Response(status=status.HTTP_200_OK)


class StorageDoctor(BackendView):
    """Test connection in full: every probe, the policy and the CORS rule to paste, warnings; saves nothing."""

    @extend_schema(responses={200: Diagnosis})
    def post(self, request: Request) -> Response:
        origin = settings.HOST or f"{request.scheme}://{request.get_host()}"
        return Response(diagnose(self.draft(request, check=False), origin))


class StorageSync(BackendView):
    """Queue a sync; a storage that is queued or syncing is answered unchanged."""

    @extend_schema(request=None, parameters=[ONLY_NEW])
    def post(self, request: Request, pk: int) -> Response:
        storage = self.storage(pk)
        if not storage.synchronizable:
            return Response({"message": f"Storage {pk} is not synchronizable"}, status=status.HTTP_400_BAD_REQUEST)
        only_new = self.direction == EXPORT and forms.parse_flag(request.query_params, "only_new")
        try:
            starting.start_sync(storage, request.user, only_new=only_new)
        except StorageError as error:
            raise to_validation_error(error) from error
        return Response(self.get_serializer(self.storage(pk)).data)


class StorageFiles(BackendView):
    """Preview: the first objects that a sync would take."""

    @extend_schema(responses={200: forms.FilesPreview})
    def post(self, request: Request) -> Response:
        limit = forms.parse_limit(request.data.get("limit") if isinstance(request.data, dict) else None)
        storage = self.draft(request, check=False)
        try:
            return Response({"files": preview_files(storage, limit)})
        except StorageError as error:
            raise to_validation_error(error) from error


class StorageForm(BackendView):
    """The layout of the settings form."""

    @extend_schema(responses={200: OBJECTS})
    def get(self, request: Request) -> Response:
        return Response(forms.layout(self.backend, self.model, self.direction))


class AllStorages(APIView):
    """All storages of a project in one direction, in the order of the registry; [] without a visible project."""

    direction: ClassVar[str] = IMPORT

    @extend_schema(parameters=[PROJECT], responses={200: OBJECTS})
    def get(self, request: Request) -> Response:
        projects = visible_projects(request.user).filter(pk=key_of(request.query_params.get("project")))
        parent = ImportStorage if self.direction == IMPORT else ExportStorage
        rows = [row.concrete() for row in parent.objects.with_backend().filter(project__in=projects)]
        order = list(BACKENDS)
        rows.sort(key=lambda storage: (order.index(storage.type), storage.pk))
        return Response([self._represent(storage, request) for storage in rows])

    def _represent(self, storage: Storage, request: Request) -> dict[str, Any]:
        backend = BACKENDS[storage.type]
        serializer = backend.import_serializer if self.direction == IMPORT else backend.export_serializer
        return serializer(storage, context={"request": request}).data


class StorageTypes(APIView):
    """The backends this server offers."""

    @extend_schema(responses={200: forms.StorageType(many=True)})
    def get(self, request: Request) -> Response:
        return Response([{"name": backend.name, "title": backend.title} for backend in BACKENDS.values()])
