"""The S3 REST protocol over vetted connections: signing by botocore, listing by expat, errors by table.

boto3's own data path parses 5,000 to 9,000 keys a second; this one is bound by the network. Knows nothing of Django.
Sources: Amazon S3 API Reference (ListObjectsV2, GetObject, PutObject, DeleteObject, Error responses).
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, unquote_plus, urlencode
from xml.parsers import expat

from storages import errors
from storages.client import ObjectInfo

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
}
STATUS_KINDS: dict[int, type[errors.StorageError]] = {
    301: errors.ConfigInvalid,
    307: errors.ConfigInvalid,
    400: errors.ConfigInvalid,
    401: errors.BadCredentials,
    403: errors.AccessDenied,
    404: errors.NotFound,
    429: errors.Throttled,
    503: errors.Throttled,
}
GRANTS = {"list": "s3:ListBucket", "read": "s3:GetObject", "write": "s3:PutObject", "delete": "s3:DeleteObject"}
ADVICE: dict[type[errors.StorageError], str] = {
    errors.BadCredentials: "S3 rejected the credentials; check access key, secret key and session token",
    errors.AccessDenied: "signed in, but these credentials may not {verb} {target}; grant {grant}",
    errors.NotFound: "{target} does not exist, or is hidden from these credentials",
    errors.ConfigInvalid: "S3 refused the request for {target}; check bucket, region_name and s3_endpoint",
    errors.Throttled: "S3 asks to slow down; try again later",
}
REGION = re.compile(r"[a-z]{2}(-[a-z]{2,12}){1,3}-[0-9]{1,2}")  # eu-west-1, us-gov-east-1, cn-north-1
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


def failure(status: int, code: str, verb: str, target: str, region: str = "") -> errors.StorageError:
    """Our error for an S3 answer. The provider's body is never quoted: it may come from anywhere (CVE-2025-25297)."""
    kind = ERROR_CODES.get(code) or STATUS_KINDS.get(status, errors.Unavailable)
    if code.startswith("KMS."):
        kind = errors.AccessDenied
    text = ADVICE.get(kind, "S3 failed on its side while trying to {verb} {target}")
    message = text.format(verb=verb, target=target, grant=GRANTS.get(verb, verb))
    label = code if code in ERROR_CODES else ""
    if kind is errors.ConfigInvalid and REGION.fullmatch(region):
        return kind(f"{target} lives in region {region}; set region_name to it", field="region_name")
    return kind(f"{message} (HTTP {status}{' ' + label if label else ''})")


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
    page, text, entry = ListPage(), [], {}

    def start(name: str, attributes: Mapping[str, str]) -> None:
        text.clear()  # white space between elements

    def end(name: str) -> None:
        if name == "Contents":
            _add(page, entry)
            for name in ("Key", "Size", "LastModified", "ETag"):
                entry.pop(name, None)
        elif name == "CommonPrefixes":
            page.last = max(page.last, unquote_plus(entry["Prefix"]))
        else:
            entry[name] = "".join(text)

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text.append
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, KeyError, ValueError):  # no XML; an entry without key, with a size or time that is none
        raise errors.ConfigInvalid("the endpoint's answer is not an S3 listing; check s3_endpoint", field="s3_endpoint") from None
    if b"<ListBucketResult" not in body[:1000]:
        raise errors.ConfigInvalid("the endpoint's answer is not an S3 listing; check s3_endpoint", field="s3_endpoint")
    page.truncated, page.token = entry.get("IsTruncated") == "true", entry.get("NextContinuationToken", "")
    return page


def _refuse_doctype(*_: object) -> None:
    raise errors.ConfigInvalid("the endpoint's answer is not an S3 listing; check s3_endpoint", field="s3_endpoint")


def _add(page: ListPage, entry: dict[str, str]) -> None:
    key = unquote_plus(entry["Key"]) if "%" in entry["Key"] or "+" in entry["Key"] else entry["Key"]
    page.last = max(page.last, key)
    if not key.endswith("/"):
        modified = datetime.fromisoformat(entry["LastModified"]) if entry.get("LastModified") else None
        page.objects.append(ObjectInfo(key, int(entry.get("Size") or 0), modified, entry.get("ETag", "").strip('"')))


def parse_error(body: bytes) -> tuple[str, str]:
    """(Code, Region) of an S3 error answer, "" where absent or where the body is something else."""

    def inside(tag: bytes) -> str:
        _, found, rest = body[:4096].partition(b"<" + tag + b">")
        return rest.partition(b"<")[0].decode("ascii", "ignore") if found else ""

    return inside(b"Code"), inside(b"Region")


def info_of(key: str, headers: Mapping[str, str]) -> ObjectInfo:
    """The whole object as described by the headers of a GET or HEAD answer. Raises ConfigInvalid for nonsense."""
    total = headers.get("Content-Range", "").rpartition("/")[2]
    modified = headers.get("Last-Modified")
    try:
        size = int(total if total.isdigit() else headers.get("Content-Length") or 0)
        time = parsedate_to_datetime(modified) if modified else None
    except ValueError:
        raise errors.ConfigInvalid("the endpoint's answer is not one of S3; check s3_endpoint", field="s3_endpoint") from None
    return ObjectInfo(key, size, time, headers.get("ETag", "").strip('"'), headers.get("Content-Type", ""))


@dataclass(frozen=True)
class Address:
    """Where a bucket is reached: virtual-hosted style on AWS, path style on custom endpoints and dotted names.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
    """

    bucket: str
    region: str
    endpoint: str = ""

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


def _frozen(credentials: Any) -> Any:
    """Key, secret and token of one moment; a refresh between reading them would mix two identities."""
    return credentials.get_frozen_credentials()


def sign(method: str, url: str, headers: dict[str, str], body: bytes, credentials: Any, region: str) -> dict[str, str]:
    """The headers of a SigV4-signed request (Signature Version 4, "Authenticating Requests: Using the Authorization Header")."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest

    request = AWSRequest(method=method, url=url, headers=headers, data=body or None)
    request.context["client_config"] = None
    request.context["payload_signing_enabled"] = True
    S3SigV4Auth(_frozen(credentials), "s3", region).add_auth(request)
    return dict(request.headers)


def sign_url(url: str, ttl: int, credentials: Any, region: str) -> str:
    """A presigned GET URL valid for ``ttl`` seconds, 7 days at most (SigV4 query authentication, X-Amz-Expires)."""
    from botocore.auth import S3SigV4QueryAuth
    from botocore.awsrequest import AWSRequest

    request = AWSRequest(method="GET", url=url)
    S3SigV4QueryAuth(_frozen(credentials), "s3", region, expires=min(ttl, 604_800)).add_auth(request)
    return request.url


@contextmanager
def translated(host: str) -> Iterator[None]:
    """Turns urllib3's failures into ours; ``host`` is named in the message."""
    from urllib3 import exceptions as failures

    try:
        yield
    except (failures.ConnectTimeoutError, failures.ReadTimeoutError) as error:
        raise errors.TimedOut(f"Could not reach {host}: it did not answer in time") from error
    except failures.SSLError as error:
        raise errors.Unavailable(f"Could not reach {host}: its TLS certificate was not accepted") from error
    except failures.HTTPError as error:
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, errors.StorageError):
            raise reason from error
        raise errors.Unavailable(f"Could not reach {host}: the connection was refused or broke off") from error
