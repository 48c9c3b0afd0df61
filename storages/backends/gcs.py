"""Google Cloud Storage with a service account key or the server's own identity: columns and declaration."""

import re

from django.db import models

from storages import errors
from storages.base import Backend, ExportStorage, ImportStorage, Prefixed, Presigned, Scanned
from storages.checks import required
from storages.fields import SecretField
from storages.providers.google.auth import IAM, STORAGE, Ambient, Identity
from storages.providers.google.client import GCSClient
from storages.providers.google.key import EMAIL, parse_key
from storages.serializers import ScannedSerializer, StorageSerializer, TargetSerializer

# https://cloud.google.com/storage/docs/buckets#naming (names with dots: up to 222 characters)
BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._\-]{1,220}[a-z0-9]")


class BucketColumns(Prefixed):
    """The columns of a bucket, whoever signs in. No column names a host, so a stored key is sent to Google and nobody else."""

    bucket = models.TextField("Bucket Name", null=True, blank=True, help_text="GCS bucket name")
    google_project_id = models.TextField("Google Project ID", null=True, blank=True, help_text="Google project ID")

    class Meta:
        abstract = True

    def client(self) -> GCSClient:
        """Raises ConfigInvalid naming the field, BadCredentials."""
        bucket = required((self.bucket or "").strip(), "bucket", "bucket")
        if not BUCKET_NAME.fullmatch(bucket):
            message = "not a bucket name: lower-case letters, digits, dots, hyphens and underscores, at least 3"
            raise errors.ConfigInvalid(message, field="bucket")
        return GCSClient(bucket, self.root, self.identity())

    def identity(self) -> Identity:
        """Who signs in."""
        raise NotImplementedError


class GCSColumns(BucketColumns):
    """The columns of Cloud Storage with a key, in both directions."""

    google_application_credentials = SecretField(
        "Google Application Credentials",
        null=True,
        blank=True,
        help_text="The content of a service account's JSON key; empty: Application Default Credentials of the server",
    )

    backend_name = "gcs"

    class Meta:
        abstract = True

    def identity(self) -> Identity:
        if text := (self.google_application_credentials or "").strip():
            return parse_key(text)
        return Ambient(STORAGE, IAM, field="google_application_credentials")


def account_email(value: str | None, field: str) -> str:
    """The e-mail of a service account. Raises ConfigInvalid naming ``field``."""
    email = required((value or "").strip(), field, field)
    if not EMAIL.fullmatch(email):
        message = "not the e-mail of a service account, such as labels@project.iam.gserviceaccount.com"
        raise errors.ConfigInvalid(message, field=field)
    return email


class GCSImportStorage(GCSColumns, Scanned, Presigned, ImportStorage):
    """A bucket whose objects become tasks."""


class GCSExportStorage(GCSColumns, ExportStorage):
    """A bucket that annotations are written to."""


class GCSImportSerializer(ScannedSerializer):
    class Meta(StorageSerializer.Meta):
        model = GCSImportStorage


class GCSExportSerializer(TargetSerializer):
    class Meta(TargetSerializer.Meta):
        model = GCSExportStorage


def forms(*credentials: tuple[str, ...]) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Both forms of a bucket with the rows of its ``credentials``."""
    head = ("title*",), ("bucket*", "prefix")
    tail = ("use_blob_urls*",), ("presign", "presign_ttl"), ("recursive_scan",)
    return {
        "import_form": (*head, ("regex_filter",), *credentials, *tail),
        "export_form": (*head, *credentials, ("can_delete_objects",)),
    }


BACKEND = Backend(
    name="gcs",
    title="Google Cloud Storage",
    icon="cloud",
    needs="A bucket name, and the JSON key of a service account; no key where the server itself has an identity.",
    location=("bucket", "prefix"),
    scheme="gs",
    import_model=GCSImportStorage,
    export_model=GCSExportStorage,
    import_serializer=GCSImportSerializer,
    export_serializer=GCSExportSerializer,
    **forms(("google_application_credentials",), ("google_project_id",)),
)
