"""Google Cloud Storage with Workload Identity Federation from the server's AWS identity: columns and declaration."""

from django.db import models

from storages.backends.gcs import BucketColumns, account_email, forms
from storages.base import Backend, ExportStorage, ImportStorage, Presigned, Scanned
from storages.fields import SecretField
from storages.providers.google.auth import Identity, Impersonated
from storages.providers.google.federation import (
    FEDERATED_USER,
    RULES,
    Federated,
    ambient_aws,
    compare_configuration,
    parse_provider,
)
from storages.serializers import ScannedSerializer, StorageSerializer, TargetSerializer


class FederatedColumns(BucketColumns):
    """The columns of a bucket and the federation's."""

    google_project_number = models.TextField("Google Project Number", null=True, blank=True, help_text="Google project number")
    google_wif_pool_id = models.TextField("Workload Identity Pool ID", null=True, blank=True, help_text="Google WIF pool ID")
    google_wif_provider_id = models.TextField("Provider ID", null=True, blank=True, help_text="Google WIF provider ID")
    google_service_account_email = models.TextField(
        "Service Account Email", null=True, blank=True, help_text="Service account that the federated identity becomes"
    )
    google_application_credentials = SecretField(
        "Google Application Credentials",
        null=True,
        blank=True,
        help_text="Not needed; the federation's configuration file is accepted if it says the same as the other fields",
    )

    backend_name = "gcswif"

    class Meta:
        abstract = True

    def identity(self) -> Identity:
        email = account_email(self.google_service_account_email, "google_service_account_email")
        provider = parse_provider(*((getattr(self, field) or "").strip() for field in RULES))
        compare_configuration((self.google_application_credentials or "").strip(), provider, email)
        return Impersonated(Federated(provider, ambient_aws()), email, FEDERATED_USER)


class GCSWIFImportStorage(FederatedColumns, Scanned, Presigned, ImportStorage):
    """A bucket whose objects become tasks."""


class GCSWIFExportStorage(FederatedColumns, ExportStorage):
    """A bucket that annotations are written to."""


class GCSWIFImportSerializer(ScannedSerializer):
    class Meta(StorageSerializer.Meta):
        model = GCSWIFImportStorage


class GCSWIFExportSerializer(TargetSerializer):
    class Meta(TargetSerializer.Meta):
        model = GCSWIFExportStorage


BACKEND = Backend(
    name="gcswif",
    title="Google Cloud Storage with Workload Identity Federation",
    icon="globe-alt",
    needs="A bucket name, and a workload identity pool with its provider, and the service account to act as.",
    location=("bucket", "prefix"),
    scheme="gs",
    import_model=GCSWIFImportStorage,
    export_model=GCSWIFExportStorage,
    import_serializer=GCSWIFImportSerializer,
    export_serializer=GCSWIFExportSerializer,
    **forms(
        ("google_wif_pool_id*", "google_wif_provider_id*"),
        ("google_service_account_email*",),
        ("google_project_id", "google_project_number*"),
        ("google_application_credentials",),
    ),
)
