"""AWS S3 and compatible stores, with access keys or the server's own identity."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import models

from storages import egress, errors
from storages.backends import s3_protocol as s3
from storages.base import Backend, ExportStorage, ImportStorage, Prefixed, Presigned, Scanned, required
from storages.client import Capabilities, Client, ObjectInfo, ObjectStream, Page, Readable
from storages.fields import SecretField
from storages.serializers import StorageSerializer

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]")
RETRIES, PAGE_SIZE = 3, 1000  # ListObjectsV2 answers 1,000 keys at most
RETRY_AFTER = 10  # seconds; an endpoint must not put our threads to sleep for longer


class Body(Readable):
    """The bytes of a GET answer; a connection that breaks off raises Unavailable instead of ending short."""

    def __init__(self, response: Any, host: str) -> None:
        self.response, self.host = response, host

    def read(self, size: int = -1) -> bytes:
        with s3.translated(self.host):
            return self.response.read(None if size < 0 else size)

    def close(self) -> None:
        self.response.close()
        self.response.release_conn()


class S3Client(Client):
    """One bucket, reached with one identity."""

    scheme = "s3"
    capabilities = Capabilities(presign=True)

    def __init__(self, bucket: str, root: str, region: str, endpoint: str, credentials: Any, kms_key: str = "") -> None:
        self.container, self.root = bucket, root
        self.address = s3.Address(bucket, region, endpoint)
        self.credentials, self.kms_key = credentials, kms_key

    def __repr__(self) -> str:
        return f"S3Client(s3://{self.container}/{self.root})"

    def list(self, *, recursive: bool, after: str = "") -> Iterator[Page]:
        query = {"list-type": "2", "encoding-type": "url", "max-keys": str(PAGE_SIZE), "prefix": self.root}
        if not recursive:
            query["delimiter"] = "/"
        if after:
            query["start-after"] = after
        while True:
            response = self._call("GET", "", "list", query=query)
            page = s3.parse_list(response.data)
            if not page.truncated:
                yield Page(page.objects, "")
                return
            if not page.token:
                raise errors.Unavailable("the endpoint's listing was cut short without a continuation token")
            yield Page(page.objects, page.last)
            query["continuation-token"] = page.token
            query.pop("start-after", None)

    def stat(self, key: str) -> ObjectInfo:
        return s3.info_of(key, self._call("HEAD", key, "read").headers)

    def open(self, key: str, start: int = 0, end: int | None = None) -> ObjectStream:
        ranged = start > 0 or end is not None
        headers = {"Range": f"bytes={start}-{'' if end is None else end}"} if ranged else {}
        response = self._call("GET", key, "read", headers=headers, stream=True, accept=(416,))
        if response.status == 416:
            return self._beyond(key, start, response)
        info = s3.info_of(key, response.headers)
        if ranged and response.status == 200:
            response.close()
            raise errors.Unavailable(f"{self.address.endpoint or 'S3'} ignored the byte range")
        last = info.size - 1 if end is None else min(end, info.size - 1)
        return ObjectStream(info, start, last, Body(response, self._host()))

    def _beyond(self, key: str, start: int, response: Any) -> ObjectStream:
        """A 416: the empty object for a range from 0, else RangeNotSatisfiable with the size."""
        response.drain_conn()
        response.release_conn()
        info = self.stat(key)
        if start == 0 and info.size == 0:
            return ObjectStream(info, 0, -1, Body(response, self._host()))
        raise errors.RangeNotSatisfiable(f"{key} has {info.size} bytes", size=info.size)

    def write(self, key: str, data: bytes, content_type: str = "application/json") -> None:
        headers = {"Content-Type": content_type}
        if self.kms_key:
            headers["x-amz-server-side-encryption"] = "aws:kms"
            headers["x-amz-server-side-encryption-aws-kms-key-id"] = self.kms_key
        self._call("PUT", key, "write", headers=headers, body=data)

    def delete(self, key: str) -> None:
        self._call("DELETE", key, "delete", accept=(404,))

    def presign(self, key: str, ttl: int) -> str:
        import mimetypes

        kind, _ = mimetypes.guess_type(key)
        url = self.address.url(key, {"response-content-type": kind} if kind else None)
        return s3.sign_url(url, ttl, self.credentials, self.address.region)

    def _call(
        self,
        method: str,
        key: str,
        verb: str,
        *,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        stream: bool = False,
        accept: tuple[int, ...] = (),
    ) -> Any:
        """One signed request, retried when throttled or broken off. Raises our error for any status but 2xx and ``accept``."""
        from urllib3 import Retry

        url = self.address.url(key, query)
        signed = s3.sign(method, url, dict(headers or {}), body, self.credentials, self.address.region)
        retry = Retry(
            RETRIES, redirect=False, backoff_factor=0.3, allowed_methods=None, raise_on_status=False, respect_retry_after_header=True,
            retry_after_max=RETRY_AFTER, status_forcelist=(429, 500, 502, 503, 504),
        )  # fmt: skip
        with s3.translated(self._host()):
            response = egress.shared_pool().request(
                method, url, body=body or None, headers=signed, retries=retry, preload_content=not stream, redirect=False
            )
        if response.status < 300 or response.status in accept:
            return response
        with s3.translated(self._host()):
            code, region = s3.parse_error(response.data if not stream else response.read(4096))
        response.release_conn()
        region = response.headers.get("x-amz-bucket-region") or region
        target = f"s3://{self.container}/{key or self.root}"
        raise s3.failure(response.status, code, verb, target, "" if region == self.address.region else region)

    def _host(self) -> str:
        return urlsplit(self.address.url()).netloc


class S3Columns(Prefixed):
    """The columns of S3 in both directions."""

    bucket = models.TextField(null=True, blank=True, help_text="S3 bucket name")
    aws_access_key_id = SecretField(null=True, blank=True, help_text="AWS_ACCESS_KEY_ID")
    aws_secret_access_key = SecretField(null=True, blank=True, help_text="AWS_SECRET_ACCESS_KEY")
    aws_session_token = SecretField(null=True, blank=True, help_text="AWS_SESSION_TOKEN")
    aws_sse_kms_key_id = models.TextField(null=True, blank=True, help_text="AWS SSE KMS Key ID")
    region_name = models.TextField(null=True, blank=True, help_text="AWS Region")
    s3_endpoint = models.TextField(null=True, blank=True, help_text="S3 Endpoint")

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
            egress.parse_base_url(endpoint, field="s3_endpoint")
        return S3Client(bucket, self.root, region, endpoint, self._credentials(), self.aws_sse_kms_key_id or "")

    def _credentials(self) -> Any:
        from botocore.credentials import Credentials

        for field in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_sse_kms_key_id"):
            value = getattr(self, field) or ""
            if not (value.isascii() and value.isprintable()):  # no HTTP header can carry it (RFC 9110 §5.5)
                raise errors.ConfigInvalid("holds a line break or a character that no key has; copy it again", field=field)
        key, secret = self.aws_access_key_id, self.aws_secret_access_key
        if bool(key) != bool(secret):
            field = "aws_secret_access_key" if key else "aws_access_key_id"
            raise errors.ConfigInvalid("access key and secret key belong together; one of them is missing", field=field)
        if key:
            return Credentials(key, secret, self.aws_session_token or None)
        return ambient_credentials(bool(self.s3_endpoint))


def ambient_credentials(custom_endpoint: bool) -> Any:
    """The server's own identity from AWS's default chain. Raises BadCredentials when it has none or may not be used."""
    if not settings.ALLOW_AMBIENT_CREDENTIALS:
        raise errors.BadCredentials("enter an access key; this server does not lend its own identity")
    if custom_endpoint:
        raise errors.BadCredentials("enter an access key; the server's own identity is only used on AWS's own endpoints")
    if (found := _default_chain()) is None:
        _default_chain.cache_clear()
        raise errors.BadCredentials("enter an access key; this server has no AWS identity of its own")
    return found


@lru_cache(maxsize=1)
def _default_chain() -> Any:
    import boto3

    return boto3.Session().get_credentials()


class S3ImportStorage(S3Columns, Scanned, Presigned, ImportStorage):
    """A bucket whose objects become tasks."""

    def verify(self) -> None:
        if self.s3_endpoint:
            egress.vet_url(self.s3_endpoint.strip(), field="s3_endpoint")
        if not self.bucket:  # Label Studio accepts a source without bucket; it cannot be synced until it has one
            return
        client = self.client()
        found = next((page for page in client.list(recursive=True) if page.objects), None)
        if self.root and found is None:
            raise errors.NotFound(f"s3://{self.bucket}/{self.root} not found: no object lies under this prefix")


class S3ExportStorage(S3Columns, ExportStorage):
    """A bucket that annotations are written to."""


class S3ImportSerializer(StorageSerializer):
    class Meta(StorageSerializer.Meta):
        model = S3ImportStorage


class S3ExportSerializer(StorageSerializer):
    class Meta(StorageSerializer.Meta):
        model = S3ExportStorage


CONNECTION = ("region_name", "s3_endpoint")
KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
BACKEND = Backend(
    name="s3",
    title="AWS S3",
    scheme="s3",
    import_model=S3ImportStorage,
    export_model=S3ExportStorage,
    import_serializer=S3ImportSerializer,
    export_serializer=S3ExportSerializer,
    import_form=(("title*",), ("bucket*", "prefix"), ("regex_filter",), CONNECTION, KEYS, ("use_blob_urls*",), ("presign", "presign_ttl"), ("recursive_scan",)),
    export_form=(("title*",), ("bucket*", "prefix"), CONNECTION, ("aws_sse_kms_key_id",), KEYS, ("can_delete_objects",)),
)  # fmt: skip
