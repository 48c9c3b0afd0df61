"""What else an S3 bucket refuses although the caller's own permissions suffice: policies, Object Lock, keys of KMS, checksums.

Knows neither signatures nor objects. Sources: S3 User Guide "Object Lock considerations", API Reference "PutObject" and
"Error responses"; KMS Developer Guide "Key states".
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass, field

from tests.fakes.claims import Refusal
from tests.fakes.s3_access import Call, Identity
from tests.fakes.wire import Request

KMS_KEY = "x-amz-server-side-encryption-aws-kms-key-id"
KMS_REFUSALS = {  # code: (status, message)
    "AccessDenied": (403, "is not authorized to perform: kms:GenerateDataKey on this resource"),
    "KMS.DisabledException": (400, "the key is disabled."),
    "KMS.NotFoundException": (400, "the key does not exist."),
    "KMS.KMSInvalidStateException": (400, "the key is pending deletion."),
}


@dataclass
class Protection:
    """``denied``: (action, bucket) that the bucket's policy forbids everybody; ``locked``: buckets with a default retention,

    which take no object without a checksum; ``keys``: KMS keys that cannot be used, with the code that says why.
    """

    denied: set[tuple[str, str]] = field(default_factory=set)
    locked: set[str] = field(default_factory=set)
    keys: dict[str, str] = field(default_factory=dict)

    def check(self, request: Request, call: Call, identity: Identity) -> None:
        """Raises Refusal."""
        if (call.action, call.bucket) in self.denied:
            message = f'User: {identity.arn} is not authorized to perform: {call.action} on resource: "{call.bucket}/{call.key}"'
            raise Refusal(403, "AccessDenied", f"{message} with an explicit deny in a resource-based policy")
        if call.action == "s3:PutObject":
            self.check_digest(request, call.bucket)
            self.check_key(request, identity)

    def check_digest(self, request: Request, bucket: str) -> None:
        told = request.header("content-md5")
        if told is None:
            if bucket in self.locked and not any(name.startswith("x-amz-checksum-") for name, _ in request.headers):
                needed = "Content-MD5 OR x-amz-checksum- HTTP header is required"
                raise Refusal(400, "InvalidRequest", f"{needed} for Put Object requests with Object Lock parameters")
            return
        try:
            sent = base64.b64decode(told, validate=True)
        except binascii.Error as error:
            raise Refusal(400, "InvalidDigest", "The Content-MD5 you specified was invalid.") from error
        if sent != hashlib.md5(request.body).digest():
            raise Refusal(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")

    def check_key(self, request: Request, identity: Identity) -> None:
        if code := self.keys.get(request.header(KMS_KEY) or ""):
            status, message = KMS_REFUSALS[code]
            raise Refusal(status, code, f"User: {identity.arn} {message}" if status == 403 else message)
