"""Google Cloud Storage through a service account that the server's own identity may become: columns and declaration."""

from django.db import models

from storages.backends.gcs import BucketColumns, account_email, forms
from storages.base import Backend, ExportStorage, ImportStorage, Presigned, Scanned
from storages.providers.google.auth import CREATOR, IAM, Ambient, Identity, Impersonated
from storages.serializers import ScannedSerializer, StorageSerializer, TargetSerializer


class ImpersonatedColumns(BucketColumns):
    """The columns of a bucket and the account's."""

    target_service_account_email = models.TextField(
        "Target Service Account Email", null=True, blank=True, help_text="Service account to impersonate"
    )

    backend_name = "gcs_sa"

    class Meta:
        abstract = True

    def identity(self) -> Identity:
        email = account_email(self.target_service_account_email, "target_service_account_email")
        return Impersonated(Ambient(IAM), email, CREATOR)


class GCSSAImportStorage(ImpersonatedColumns, Scanned, Presigned, ImportStorage):
    """A bucket whose objects become tasks."""


class GCSSAExportStorage(ImpersonatedColumns, ExportStorage):
    """A bucket that annotations are written to."""


class GCSSAImportSerializer(ScannedSerializer):
    class Meta(StorageSerializer.Meta):
        model = GCSSAImportStorage


class GCSSAExportSerializer(TargetSerializer):
    class Meta(TargetSerializer.Meta):
        model = GCSSAExportStorage


BACKEND = Backend(
    name="gcs_sa",
    title="Google Cloud Storage with service account impersonation",
    icon="user-plus",
    needs="A bucket name, and the e-mail address of a service account that this server may impersonate.",
    location=("bucket", "prefix"),
    scheme="gs",
    import_model=GCSSAImportStorage,
    export_model=GCSSAExportStorage,
    import_serializer=GCSSAImportSerializer,
    export_serializer=GCSSAExportSerializer,
    **forms(("target_service_account_email*",), ("google_project_id",)),
)
