"""Directories of this server below LOCAL_FILES_DOCUMENT_ROOT: settings and checks (behaviour.md §4)."""

import os

from django.conf import settings
from django.db import models
from rest_framework import serializers

from storages import errors
from storages.base import Backend, ExportStorage, ImportStorage, Scanned
from storages.checks import required
from storages.providers.localfiles import LocalFilesClient
from storages.serializers import StorageSerializer, TargetSerializer


class LocalFilesColumns(models.Model):
    """The columns of local files in both directions."""

    path = models.TextField("Absolute local path", null=True, blank=True, help_text="Local path")

    backend_name = "localfiles"

    class Meta:
        abstract = True

    @property
    def root(self) -> str:
        """What our keys begin with."""
        return os.path.realpath((self.path or "").strip().replace("\\", "/")) + "/"

    def client(self) -> LocalFilesClient:
        """Raises ConfigInvalid: path unset, missing, outside the document root, or serving switched off."""
        path = os.path.normpath(required((self.path or "").strip(), "", "Path").replace("\\", "/"))
        self.path = path
        if not settings.LOCAL_FILES_DOCUMENT_ROOT or not settings.LOCAL_FILES_SERVING_ENABLED:
            raise errors.ConfigInvalid(
                "local files are switched off; set LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and "
                "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT to the directory that holds the data, and restart the server"
            )
        root = os.path.realpath(settings.LOCAL_FILES_DOCUMENT_ROOT)
        return LocalFilesClient(self._contained(path, root), root, settings.HOST)

    def _contained(self, path: str, root: str) -> str:
        """The real path of the directory."""
        example = f"for example {root}/dataset1"
        if "\0" in path or not os.path.isdir(path):
            raise errors.ConfigInvalid(f'Absolute local path "{path}" does not exist, or is not a directory')
        real = os.path.realpath(path)
        if real == root:
            raise errors.ConfigInvalid(f"Path must be a subdirectory of the document root, not the root itself; {example}")
        if not real.startswith(root + os.sep) or not os.path.isabs(path):
            raise errors.ConfigInvalid(f"Path must lie below LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT; {example}")
        return real


class LocalFilesImportStorage(LocalFilesColumns, Scanned, ImportStorage):
    """A directory whose files become tasks."""


class LocalFilesExportStorage(LocalFilesColumns, ExportStorage):
    """A directory that annotations are written to."""


class LocalFilesSerializer(StorageSerializer):
    """The path is stored normalised."""

    def validate_path(self, value: str | None) -> str | None:
        return os.path.normpath(value.strip().replace("\\", "/")) if value and value.strip() else value


class LocalFilesImportSerializer(LocalFilesSerializer):
    recursive_scan = serializers.BooleanField(required=False, allow_null=True)  # null counts as false (contract.md §1.3)

    def validate_recursive_scan(self, value: bool | None) -> bool:
        return bool(value)

    class Meta(StorageSerializer.Meta):
        model = LocalFilesImportStorage


class LocalFilesExportSerializer(LocalFilesSerializer, TargetSerializer):
    class Meta(TargetSerializer.Meta):
        model = LocalFilesExportStorage


BACKEND = Backend(
    name="localfiles",
    title="Local files",
    icon="folder-open",
    needs="The path of a directory on this server, below the document root.",
    location=("path",),
    import_model=LocalFilesImportStorage,
    export_model=LocalFilesExportStorage,
    import_serializer=LocalFilesImportSerializer,
    export_serializer=LocalFilesExportSerializer,
    import_form=(("title*", "path*"), ("regex_filter",), ("use_blob_urls*",), ("recursive_scan",)),
    export_form=(("title*", "path*"), ("can_delete_objects",)),
)
