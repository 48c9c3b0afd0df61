"""The S3 REST protocol over vetted connections: signing by botocore, listing by expat, errors by table.

boto3's own data path parses 5,000 to 9,000 keys a second; this one is bound by the network. Knows nothing of Django.
Sources: Amazon S3 API Reference (ListObjectsV2, GetObject, PutObject, DeleteObject, Error responses).
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote_plus, urlencode

from storages import errors
from storages.client import ObjectInfo
from storages.providers import listing

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
    "KMS.AccessDeniedException": errors.AccessDenied,
    "KMS.DisabledException": errors.AccessDenied,
    "KMS.InvalidStateException": errors.AccessDenied,
    "KMS.NotFoundException": errors.AccessDenied,
}
REGION = re.compile(r"[a-z]{2}(-[a-z]{2,12}){1,3}-[0-9]{1,2}")  # eu-west-1, us-gov-east-1, cn-north-1
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


@dataclass
class ListPage:
    """One parsed ListObjectsV2 answer."""

    objects: list[ObjectInfo] = field(default_factory=list)
    last: str = ""  # greatest key or common prefix of the page
    truncated: bool = False
    token: str = ""


def parse_list(body: bytes) -> ListPage:
    """Reads a ListObjectsV2 answer with ``encoding-type=url``; keys ending in "/" (folder markers) are left out.

    Raises ConfigInvalid if the body is no such answer (an HTML page of some other server).
    """
    try:
        entries, texts = listing.parse(body, root="ListBucketResult", entries=("Contents", "CommonPrefixes"))
        page = ListPage(truncated=texts.get("IsTruncated") == "true", token=texts.get("NextContinuationToken", ""))
        for name, entry in entries:
            key = entry["Key" if name == "Contents" else "Prefix"]
            key = unquote_plus(key) if "%" in key or "+" in key else key
            page.last = max(page.last, key)
            if not key.endswith("/"):
                modified = datetime.fromisoformat(entry["LastModified"]) if entry.get("LastModified") else None
                page.objects.append(ObjectInfo(key, int(entry.get("Size") or 0), modified, entry.get("ETag", "").strip('"')))
    except (KeyError, ValueError):  # another document; an entry without key, with a size or time that is none
        raise errors.ConfigInvalid("the endpoint's answer is not an S3 listing; check s3_endpoint", field="s3_endpoint") from None
    return page


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


def sign(
    method: str, url: str, headers: dict[str, str], body: bytes, credentials: Any, region: str, service: str = "s3"
) -> dict[str, str]:
    """The headers of a SigV4-signed request (Signature Version 4, "Authenticating Requests: Using the Authorization Header").

    ``credentials``: key, secret and token of one moment ("frozen"); a refresh between reading them would mix two identities.
    """
    from botocore.auth import S3SigV4Auth, SigV4Auth
    from botocore.awsrequest import AWSRequest

    request = AWSRequest(method=method, url=url, headers=headers, data=body or None)
    request.context["client_config"] = None
    request.context["payload_signing_enabled"] = True
    (S3SigV4Auth if service == "s3" else SigV4Auth)(credentials, service, region).add_auth(request)
    return dict(request.headers)


def sign_url(url: str, ttl: int, credentials: Any, region: str) -> str:
    """A presigned GET URL valid for ``ttl`` seconds, 7 days at most (SigV4 query authentication, X-Amz-Expires)."""
    from botocore.auth import S3SigV4QueryAuth
    from botocore.awsrequest import AWSRequest

    request = AWSRequest(method="GET", url=url)
    S3SigV4QueryAuth(credentials, "s3", region, expires=min(ttl, 604_800)).add_auth(request)
    return request.url
