"""The S3 REST protocol over vetted connections: signed URLs by botocore, listings, errors by table.

boto3's own data path parses 5,000 to 9,000 keys a second; this one is bound by the network. Knows nothing of Django.
Sources: Amazon S3 API Reference (ListObjectsV2, GetObject, PutObject, DeleteObject, Error responses).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from storages import errors
from storages.providers.aws.listing import ListPage as ListPage
from storages.providers.aws.listing import parse_list as parse_list
from storages.providers.aws.signature import sign as sign

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
ERROR_CODES: dict[str, type[errors.StorageError]] = {
    "InvalidAccessKeyId": errors.BadCredentials,
    "SignatureDoesNotMatch": errors.BadCredentials,
    "InvalidToken": errors.BadCredentials,
    "ExpiredToken": errors.BadCredentials,
    "TokenRefreshRequired": errors.BadCredentials,
    "AccessDenied": errors.AccessDenied,
    "AllAccessDisabled": errors.AccessDenied,
    "AccountProblem": errors.AccessDenied,
    "InvalidObjectState": errors.AccessDenied,
    "NoSuchBucket": errors.NotFound,
    "NoSuchKey": errors.NotFound,
    "InvalidBucketName": errors.ConfigInvalid,
    "PermanentRedirect": errors.ConfigInvalid,
    "AuthorizationHeaderMalformed": errors.ConfigInvalid,
    "IllegalLocationConstraintException": errors.ConfigInvalid,
    "RequestTimeTooSkewed": errors.ConfigInvalid,
    "SlowDown": errors.Throttled,
    "RequestLimitExceeded": errors.Throttled,
    "TooManyRequests": errors.Throttled,
    "ServiceUnavailable": errors.Throttled,
    "RequestTimeout": errors.TimedOut,
    "InvalidRequest": errors.ConfigInvalid,
    "KMS.AccessDeniedException": errors.AccessDenied,
    "KMS.DisabledException": errors.ConfigInvalid,
    "KMS.InvalidKeyUsageException": errors.ConfigInvalid,
    "KMS.InvalidStateException": errors.ConfigInvalid,
    "KMS.KMSInvalidStateException": errors.ConfigInvalid,
    "KMS.NotFoundException": errors.ConfigInvalid,
    "KMS.ThrottlingException": errors.Throttled,
    # of compatible stores: docs.ceph.com/en/latest/radosgw/s3/ "Error entities"; minio/minio cmd/api-errors.go
    "QuotaExceeded": errors.Full,
    "XMinioAdminBucketQuotaExceeded": errors.Full,
    "XMinioStorageFull": errors.Full,
}
# what no permission changes: https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
CAUSES = {
    "InvalidObjectState": "the object is archived; restore it",
    "KMS.DisabledException": "the KMS key is disabled; enable it, or set another one",
    "KMS.InvalidKeyUsageException": "the KMS key is not made for encryption; set a symmetric one",
    "KMS.InvalidStateException": "the KMS key cannot be used, such as one that is to be deleted; set another one",
    "KMS.KMSInvalidStateException": "the KMS key cannot be used, such as one that is to be deleted; set another one",
    "KMS.NotFoundException": "there is no such KMS key in the bucket's region; set another one",
}
REGION = re.compile(r"[a-z]{2}(-[a-z]{2,12}){1,3}-[0-9]{1,2}")  # eu-west-1, us-gov-east-1, cn-north-1

SSE_S3 = "AES256"  # in place of a KMS key's id: encryption with keys of S3, said in every request


def encryption(key: str) -> dict[str, str]:
    """The headers that ask for encryption with a KMS key (id, alias or ARN), with keys of S3 (SSE_S3), or for neither.

    Without them the bucket's default encryption holds, SSE-S3 at least (AmazonS3/latest/userguide/default-encryption-faq.html);
    to send AES256 unasked would weaken a bucket whose default is KMS, and compatible stores may not know it.
    """
    if not key or key == SSE_S3:
        return {"x-amz-server-side-encryption": SSE_S3} if key else {}
    return {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": key}


def parse_error(body: bytes) -> tuple[str, str]:
    """(Code, Region) of an S3 error answer, "" where absent or where the body is something else."""

    def inside(tag: bytes) -> str:
        _, found, rest = body[:4096].partition(b"<" + tag + b">")
        return rest.partition(b"<")[0].decode("ascii", "ignore") if found else ""

    return inside(b"Code"), inside(b"Region")


@dataclass(frozen=True)
class Address:
    """Where a bucket is reached: virtual-hosted style on AWS, path style on custom endpoints and dotted names.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
    """

    bucket: str
    region: str
    endpoint: str = ""

    @property
    def partition(self) -> str:
        """https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html"""
        return "aws-cn" if self.region.startswith("cn-") else "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    def url(self, key: str = "", query: Mapping[str, str] | None = None) -> str:
        """The URL of an object, or of the bucket if ``key`` is empty; every byte outside the unreserved set is escaped."""
        path = quote(key, safe="/~")
        suffix = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        if self.endpoint:
            base = f"{self.endpoint.rstrip('/')}/{self.bucket}/{path}"
        elif "." in self.bucket:
            base = f"https://s3.{self.region}.{suffix}/{self.bucket}/{path}"
        else:
            base = f"https://{self.bucket}.s3.{self.region}.{suffix}/{path}"
        return f"{base}?{urlencode(query, quote_via=quote)}" if query else base


def sign_url(url: str, ttl: int, credentials: Any, region: str) -> str:
    """A presigned GET URL valid for ``ttl`` seconds, 7 days at most (SigV4 query authentication, X-Amz-Expires)."""
    from botocore.auth import S3SigV4QueryAuth
    from botocore.awsrequest import AWSRequest

    request = AWSRequest(method="GET", url=url)
    S3SigV4QueryAuth(credentials, "s3", region, expires=min(ttl, 604_800)).add_auth(request)
    return request.url
