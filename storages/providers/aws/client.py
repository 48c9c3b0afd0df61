"""The client of one S3 bucket; knows no Django model and no settings."""

import base64
import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from storages import errors
from storages.client import EVERYTHING, Capabilities, Page, Span
from storages.providers.aws import protocol as s3
from storages.providers.http import HTTPClient
from storages.providers.rounds import Rounds

PAGE_SIZE = 1000  # ListObjectsV2 answers 1,000 keys at most
ACTIONS = {"list": "s3:ListBucket", "read": "s3:GetObject", "write": "s3:PutObject", "delete": "s3:DeleteObject"}


class S3Client(HTTPClient):
    """One bucket, reached with one identity."""

    scheme = "s3"
    capabilities = Capabilities(presign=True, ranges=True, subfolders=True, content_versions=True)
    service, credential = "S3", "access key, secret key and session token"
    settings = "bucket, region_name and s3_endpoint"
    codes, causes, no_object, host_field = s3.ERROR_CODES, s3.CAUSES, "NoSuchKey", "s3_endpoint"
    grants = {
        verb: f"{action} on arn:aws:s3:::{{container}}{'' if verb == 'list' else '/{root}*'}" for verb, action in ACTIONS.items()
    }

    def __init__(self, bucket: str, root: str, region: str, endpoint: str, credentials: Any, kms_key: str = "") -> None:
        self.container, self.root = bucket, root
        self.address = s3.Address(bucket, region, endpoint)
        self.credentials, self.kms_key = credentials, kms_key

    def url(self, key: str = "", query: Mapping[str, str] | None = None) -> str:
        return self.address.url(key, query)

    def authorize(self, method: str, url: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
        return s3.sign(method, url, headers, body, self.credentials.get_frozen_credentials(), self.address.region)

    def code_of(self, headers: Mapping[str, str], body: bytes) -> str:
        return s3.parse_error(body)[0]

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, verb: str, key: str) -> errors.StorageError:
        error = super().failure(status, headers, body, verb, key)
        region = headers.get("x-amz-bucket-region") or s3.parse_error(body)[1]
        if isinstance(error, errors.ConfigInvalid) and region != self.address.region and s3.REGION.fullmatch(region):
            return errors.ConfigInvalid(
                f"{self.uri(key or self.root)} lives in region {region}; set region_name to it", field="region_name"
            )
        code = self.code_of(headers, body)
        if isinstance(error, errors.ConfigInvalid) and code.startswith("KMS.") and self._uses_kms:
            error.field = "aws_sse_kms_key_id"
        if code == "AccessDenied" and verb in ("write", "delete"):
            error.args = (f"{error}; if it has that, a policy or a retention of the bucket forbids it",)
        return error

    def try_list(self, *, wanted: bool) -> str | None:
        if wanted:
            return super().try_list(wanted=True)
        s3.parse_list(self.answer("GET", self.url("", self._query(self.root) | {"max-keys": "1"}), "list")[1])
        return None

    def _query(self, folder: str, after: str = "", *, recursive: bool = True) -> dict[str, str]:
        query = {"list-type": "2", "encoding-type": "url", "max-keys": str(PAGE_SIZE), "prefix": folder}
        return query | ({} if recursive else {"delimiter": "/"}) | ({"start-after": after} if after else {})

    def list(self, *, recursive: bool, after: str = "", span: Span = EVERYTHING) -> Iterator[Page]:
        """The cursor is the greatest key or common prefix of the page; S3 knows no end of a range, so we cut there."""
        self.check_span(span)
        query = self._query(span.folder or self.root, max(after, span.low), recursive=recursive)
        for page in self._pages(query):
            objects, markers = page.objects, page.markers
            if span.high and page.last > span.high:
                objects = [item for item in objects if item.key <= span.high]
                markers = [key for key in markers if key <= span.high]
            ends = not page.truncated or (span.high and page.last >= span.high)
            yield Page(objects, "" if ends else page.last, markers)
            if ends:
                return

    def folder_pages(self, folder: str) -> Iterator[Sequence[str]]:
        return (page.folders for page in self._pages(self._query(folder, recursive=False)))

    def _pages(self, query: dict[str, str]) -> Iterator[s3.ListPage]:
        """Every page of the provider's."""
        rounds = Rounds("the endpoint's continuation token")
        while True:
            page = s3.parse_list(self.answer("GET", self.url("", query), "list")[1])
            if page.truncated and not page.token:
                raise errors.Unavailable("the listing does not go on: the endpoint's continuation token is missing")
            if page.truncated:
                rounds.pass_by(page.token)
            yield page
            if not page.truncated:
                return
            query["continuation-token"] = page.token
            query.pop("start-after", None)

    def write(self, key: str, data: bytes, content_type: str = "application/json") -> None:
        # a bucket with Object Lock takes nothing without a checksum: AmazonS3/latest/API/API_PutObject.html, Content-MD5
        checksum = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        headers = {"Content-Type": content_type, "Content-MD5": checksum} | s3.encryption(self.kms_key)
        self.answer("PUT", self.url(key), "write", key, headers=headers, body=data)

    def presign(self, key: str, ttl: int) -> str:
        return self.sign_url(key, ttl, self.credentials.get_frozen_credentials())

    def sign_url(self, key: str, ttl: int, credentials: Any) -> str:
        """The URL of a GET signed with the credentials of one moment."""
        import mimetypes

        kind, _ = mimetypes.guess_type(key)
        url = self.url(key, {"response-content-type": kind} if kind else None)
        return s3.sign_url(url, ttl, credentials, self.address.region)

    @property
    def place(self) -> str:
        """Names of buckets are unique in a partition of AWS, whatever the region; elsewhere, at an endpoint."""
        endpoint = urlsplit(self.address.endpoint)
        host, port = endpoint.hostname or "", endpoint.port or (443 if endpoint.scheme == "https" else 80)
        amazon = not host or host.endswith((".amazonaws.com", ".amazonaws.com.cn"))
        return f"s3://{self.address.partition if amazon else f'{host}:{port}'}/{self.container}/"

    @property
    def _uses_kms(self) -> bool:
        return self.kms_key not in ("", s3.SSE_S3)

    def grant(self, verb: str) -> str:
        grant = super().grant(verb).replace("arn:aws:", f"arn:{self.address.partition}:")
        # S3 asks KMS for a key on our behalf: AmazonS3/latest/userguide/UsingKMSEncryption.html "Permissions"
        return f"{grant} and kms:GenerateDataKey on {self.kms_key}" if verb == "write" and self._uses_kms else grant

    def policy(self, verbs: Collection[str]) -> dict[str, Any]:
        """An IAM identity policy. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html"""
        bucket = f"arn:{self.address.partition}:s3:::{self.container}"
        listing: dict[str, Any] = {"Effect": "Allow", "Action": [ACTIONS["list"]], "Resource": [bucket]}
        if self.root:
            listing["Condition"] = {"StringLike": {"s3:prefix": [f"{self.root}*"]}}
        statements = [listing]
        if actions := [ACTIONS[verb] for verb in ("read", "write", "delete") if verb in verbs]:
            statements.append({"Effect": "Allow", "Action": actions, "Resource": [f"{bucket}/{self.root}*"]})
        if self._uses_kms:
            statements.append({"Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": [self.kms_key]})
        return {"Version": "2012-10-17", "Statement": statements}

    def cors_rule(self, origin: str) -> Any:
        """https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html"""
        return [
            {
                "AllowedOrigins": [origin],
                "AllowedMethods": ["GET", "HEAD"],
                "AllowedHeaders": ["*"],
                "ExposeHeaders": ["Accept-Ranges", "Content-Length", "Content-Range", "ETag"],
                "MaxAgeSeconds": 3600,
            }
        ]
