"""AWS S3 and compatible stores, with access keys or the server's own identity."""

import re
from typing import Any

from django.db import models

from storages import egress, errors
from storages.base import Backend, ExportStorage, ImportStorage, Prefixed, Presigned, Scanned
from storages.checks import parse_base_url, printable, required
from storages.fields import SecretField
from storages.providers.aws.ambient import ambient_credentials
from storages.providers.aws.client import S3Client
from storages.serializers import StorageSerializer, TargetSerializer

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]")


class S3Columns(Prefixed):
    """The columns of S3 in both directions."""

    bucket = models.TextField("Bucket Name", null=True, blank=True, help_text="S3 bucket name")
    aws_access_key_id = SecretField("Access Key ID", null=True, blank=True, help_text="AWS_ACCESS_KEY_ID")
    aws_secret_access_key = SecretField("Secret Access Key", null=True, blank=True, help_text="AWS_SECRET_ACCESS_KEY")
    aws_session_token = SecretField("Session Token", null=True, blank=True, help_text="AWS_SESSION_TOKEN")
    aws_sse_kms_key_id = models.TextField("SSE KMS Key ID", null=True, blank=True, help_text="AWS SSE KMS Key ID")
    region_name = models.TextField("Region Name", null=True, blank=True, help_text="AWS Region")
    s3_endpoint = models.TextField("S3 Endpoint", null=True, blank=True, help_text="S3 Endpoint")

    backend_name = "s3"
    secret_bound = ("s3_endpoint",)

    class Meta:
        abstract = True

    def client(self) -> S3Client:
        """Raises ConfigInvalid naming the field, EgressDenied."""
        bucket = required(self.bucket, "bucket", "bucket")
        if not BUCKET_NAME.fullmatch(bucket):
            raise errors.ConfigInvalid("not a bucket name: 3 to 63 lower-case letters, digits, dots and hyphens", field="bucket")
        region = (self.region_name or "").strip() or "us-east-1"
        if not re.fullmatch(r"[a-z0-9\-]{2,40}", region):
            raise errors.ConfigInvalid("not a region name such as eu-west-1", field="region_name")
        endpoint = (self.s3_endpoint or "").strip()
        if endpoint:
            parse_base_url(endpoint, field="s3_endpoint")
        return self.connect(bucket, region, endpoint, self._credentials())

    def connect(self, bucket: str, region: str, endpoint: str, credentials: Any) -> S3Client:
        """The client that uses ``credentials`` as they are."""
        return S3Client(bucket, self.root, region, endpoint, credentials, self.aws_sse_kms_key_id or "")

    def _credentials(self) -> Any:
        from botocore.credentials import Credentials

        for field in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_sse_kms_key_id"):
            printable(getattr(self, field) or "", field)
        key, secret = self.aws_access_key_id, self.aws_secret_access_key
        if bool(key) != bool(secret):
            field = "aws_secret_access_key" if key else "aws_access_key_id"
            raise errors.ConfigInvalid("access key and secret key belong together; one of them is missing", field=field)
        if key:
            return Credentials(key, secret, self.aws_session_token or None)
        return ambient_credentials(bool(self.s3_endpoint))


class BucketLater:
    """Label Studio accepts a source without bucket; it cannot be synced until it has one."""

    def verify(self) -> None:
        if self.bucket:
            super().verify()
        elif self.s3_endpoint:
            egress.vet_url(self.s3_endpoint.strip(), field="s3_endpoint")


class S3ImportStorage(BucketLater, S3Columns, Scanned, Presigned, ImportStorage):
    """A bucket whose objects become tasks."""


class S3ExportStorage(S3Columns, ExportStorage):
    """A bucket that annotations are written to."""


class S3ImportSerializer(StorageSerializer):
    class Meta(StorageSerializer.Meta):
        model = S3ImportStorage


class S3ExportSerializer(TargetSerializer):
    class Meta(TargetSerializer.Meta):
        model = S3ExportStorage


CONNECTION = ("region_name", "s3_endpoint")
KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
BACKEND = Backend(
    name="s3",
    title="AWS S3",
    icon="circle-stack",
    needs="A bucket name, and an access key with its secret; no key where the server itself has a role.",
    location=("bucket", "prefix", "s3_endpoint"),
    scheme="s3",
    import_model=S3ImportStorage,
    export_model=S3ExportStorage,
    import_serializer=S3ImportSerializer,
    export_serializer=S3ExportSerializer,
    import_form=(
        ("title*",),
        ("bucket*", "prefix"),
        ("regex_filter",),
        CONNECTION,
        KEYS,
        ("use_blob_urls*",),
        ("presign", "presign_ttl"),
        ("recursive_scan",),
    ),
    export_form=(("title*",), ("bucket*", "prefix"), CONNECTION, ("aws_sse_kms_key_id",), KEYS, ("can_delete_objects",)),
)
