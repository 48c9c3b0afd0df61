"""AWS S3 with an IAM role: the same bucket, reached with a session of the role that the bucket's owner names."""

import re
from collections.abc import Collection
from typing import Any

from django.db import models

from storages import errors
from storages.backends import s3
from storages.base import Backend, ExportStorage, ImportStorage, Presigned, Scanned
from storages.checks import required
from storages.providers.aws.client import S3Client
from storages.providers.aws.role import RoleSession
from storages.serializers import StorageSerializer, TargetSerializer

# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html "Request Parameters" (ARN: at most 2,048 characters)
ROLE_ARN = re.compile(r"arn:aws[a-z\-]{0,20}:iam::[0-9]{12}:role/[\w+=,.@/\-]{1,1900}", re.ASCII)
EXTERNAL_ID = re.compile(r"[\w+=,.@:/\-]{2,1224}", re.ASCII)


class RoleClient(S3Client):
    """A bucket reached with a role session; a signed URL never outlives the session that signed it."""

    credentials: RoleSession

    def renew(self) -> bool:
        return self.credentials.renew()

    def presign(self, key: str, ttl: int) -> str:
        return self.signed(key, ttl)[0]

    def signed(self, key: str, ttl: int) -> tuple[str, int]:
        credentials, left = self.credentials.lasting(ttl)
        return self.sign_url(key, min(ttl, left), credentials), min(ttl, left)

    def policy(self, verbs: Collection[str]) -> dict[str, Any]:
        """The role's permissions, and the trust policy that lets our credentials assume it.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-user_externalid.html
        """
        trust: dict[str, Any] = {
            "Effect": "Allow",
            "Principal": {"AWS": "<the ARN of our credentials>"},
            "Action": "sts:AssumeRole",
        }
        if self.credentials.external_id:
            trust["Condition"] = {"StringEquals": {"sts:ExternalId": self.credentials.external_id}}
        return {"permissions": super().policy(verbs), "trust": {"Version": "2012-10-17", "Statement": [trust]}}


class S3SColumns(s3.S3Columns):
    """The columns of S3 and the role's."""

    role_arn = models.TextField("Role ARN", help_text="ARN of the role to assume")
    external_id = models.TextField("External ID", null=True, blank=True, help_text="sts:ExternalId of the role's trust policy")
    legacy_auth = models.BooleanField("Legacy authentication", null=True, blank=True, help_text="Accepted, without effect")

    backend_name = "s3s"
    secret_bound = ("s3_endpoint", "role_arn", "external_id")

    class Meta:
        abstract = True

    def connect(self, bucket: str, region: str, endpoint: str, credentials: Any) -> S3Client:
        role, external_id = required((self.role_arn or "").strip(), "role_arn", "role_arn"), (self.external_id or "").strip()
        if not ROLE_ARN.fullmatch(role):
            raise errors.ConfigInvalid("not the ARN of a role, such as arn:aws:iam::123456789012:role/labels", field="role_arn")
        if external_id and not EXTERNAL_ID.fullmatch(external_id):
            raise errors.ConfigInvalid("2 to 1224 letters, digits and +=,.@:/-_", field="external_id")
        session = RoleSession(credentials, role, external_id, region, f"quayside-project-{self.project_id}")
        return RoleClient(bucket, self.root, region, endpoint, session, self.aws_sse_kms_key_id or "")


class S3SImportStorage(s3.BucketLater, S3SColumns, Scanned, Presigned, ImportStorage):
    """A bucket whose objects become tasks."""


class S3SExportStorage(S3SColumns, ExportStorage):
    """A bucket that annotations are written to."""


class S3SImportSerializer(StorageSerializer):
    class Meta(StorageSerializer.Meta):
        model = S3SImportStorage


class S3SExportSerializer(TargetSerializer):
    class Meta(TargetSerializer.Meta):
        model = S3SExportStorage


ROLE = ("role_arn*", "external_id")
BACKEND = Backend(
    name="s3s",
    title="AWS S3 with IAM role",
    icon="identification",
    needs="A bucket name, and the ARN of a role that this server may assume; an external ID if the role asks for one.",
    location=("bucket", "prefix", "s3_endpoint"),
    scheme="s3",
    import_model=S3SImportStorage,
    export_model=S3SExportStorage,
    import_serializer=S3SImportSerializer,
    export_serializer=S3SExportSerializer,
    import_form=(*s3.BACKEND.import_form[:3], ROLE, *s3.BACKEND.import_form[3:]),
    export_form=(*s3.BACKEND.export_form[:2], ROLE, *s3.BACKEND.export_form[2:]),
)
