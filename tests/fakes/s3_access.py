"""Which S3 action a request is, and whether an identity may do it; knows neither signatures nor objects."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from tests.fakes.claims import Refusal
from tests.fakes.wire import Request


class Grant(NamedTuple):
    """Allows ``action`` ("s3:GetObject", "s3:*") on keys of ``bucket`` under ``prefix``; a listing must ask for that prefix."""

    action: str
    bucket: str = "*"
    prefix: str = ""


EVERYTHING = (Grant("s3:*"),)


@dataclass
class Identity:
    """A key pair and what it may do; ``session_token``, ``expires`` (UTC) and ``role`` (its ARN) only for temporary keys."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    allow: Sequence[Grant] = EVERYTHING
    expires: datetime | None = None
    arn: str = "arn:aws:iam::000000000000:user/tester"
    role: str | None = None

    def may(self, action: str, bucket: str, key: str) -> bool:
        return any(
            fnmatchcase(action, grant.action) and fnmatchcase(bucket, grant.bucket) and key.startswith(grant.prefix)
            for grant in self.allow
        )


class Call(NamedTuple):
    """A request as S3 understands it: ``key`` is "" for calls on a bucket, ``listing`` marks ListObjectsV2."""

    action: str
    bucket: str
    key: str
    listing: bool = False


MAX_KEY_BYTES = 1024  # S3 User Guide "Naming Amazon S3 objects", in UTF-8
# S3 User Guide "Required permissions for Amazon S3 API operations"
OBJECT_ACTIONS = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}
SUBRESOURCES = {"acl", "attributes", "delete", "partNumber", "tagging", "uploadId", "uploads", "versions", "versionId"}


def call_of(request: Request) -> Call:
    """What is asked for. Raises Refusal 501 for operations this store does not have (multipart, ACLs, buckets …)."""
    bucket, _, rest = request.path.lstrip("/").partition("/")
    bucket, key = decoded(bucket), decoded(rest)
    if len(key.encode()) > MAX_KEY_BYTES:
        raise Refusal(400, "KeyTooLongError", "Your key is too long", MaxSizeAllowed=str(MAX_KEY_BYTES))
    names = {name.decode("latin-1") for name, _ in request.parameters}
    if key and request.method in OBJECT_ACTIONS and not names & SUBRESOURCES and not request.header("x-amz-copy-source"):
        return Call(OBJECT_ACTIONS[request.method], bucket, key)
    if bucket and not key and request.method == "HEAD":
        return Call("s3:ListBucket", bucket, "")
    if bucket and not key and request.method == "GET" and request.parameter("list-type") == "2":
        return Call("s3:ListBucket", bucket, "", listing=True)
    if bucket and not key and request.method == "GET" and "location" in names:
        return Call("s3:GetBucketLocation", bucket, "")
    raise Refusal(501, "NotImplemented", f"{request.method} {request.path}?{request.query} is not served by this store.")


def decoded(path: str) -> str:
    try:
        return unquote_to_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise Refusal(400, "InvalidURI", "Couldn't parse the specified URI.") from error


def authorize(identity: Identity, call: Call, request: Request) -> None:
    """Raises Refusal (AccessDenied, in the words of AWS) unless ``identity`` may do ``call``."""
    key = (request.parameter("prefix") or "") if call.listing else call.key
    if not identity.may(call.action, call.bucket, key):
        raise denied(identity, call.action, f"{call.bucket}/{call.key}" if call.key else call.bucket)


def denied(identity: Identity, action: str, resource: str) -> Refusal:
    message = f'User: {identity.arn} is not authorized to perform: {action} on resource: "arn:aws:s3:::{resource}"'
    return Refusal(403, "AccessDenied", f"{message} because no identity-based policy allows the {action} action")
