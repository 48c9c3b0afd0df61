"""The door of the S3 fake: signature, region and permission of every request first, then the object store.

Error answers have the shape of S3 API Reference "Error responses".
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from xml.sax.saxutils import escape

from tests.fakes.claims import Claim, Refusal, claim_of
from tests.fakes.faults import Failure
from tests.fakes.s3_access import Call, Identity, authorize, call_of, denied
from tests.fakes.s3_cors import Cors, bucket_of
from tests.fakes.s3_objects import Objects
from tests.fakes.s3_paging import Paging
from tests.fakes.s3_protection import Protection
from tests.fakes.sigv4 import verify
from tests.fakes.wire import Request, Response


@dataclass
class Gate:
    """One store with one endpoint region; ``clock`` gives aware UTC times, ``puts`` keeps the last headers per object."""

    objects: Objects
    paging: Paging
    region: str
    clock: Callable[[], datetime]
    identities: dict[str, Identity] = field(default_factory=dict)
    puts: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    cors: Cors = field(default_factory=Cors)
    protection: Protection = field(default_factory=Protection)

    def answer(self, request: Request) -> Response:
        try:
            response = self.preflight(request) if request.method == "OPTIONS" else self.admit(request)
        except Refusal as refusal:
            response = error_document(refusal, request)
        if request.method != "OPTIONS":
            self.cors.mark(request, response)
        identifier = secrets.token_hex(8).upper()
        response.headers |= {"x-amz-request-id": identifier, "x-amz-id-2": secrets.token_urlsafe(24), "server": "AmazonS3"}
        return response

    def failed(self, request: Request, failure: Failure) -> Response:
        refusal = Refusal(failure.status, failure.code, f"{failure.code} on demand of the test.")
        refusal.headers = failure.headers
        return error_document(refusal, request)

    def admit(self, request: Request) -> Response:
        if request.header("transfer-encoding"):
            message = "A header you provided implies functionality that is not implemented."
            raise Refusal(501, "NotImplemented", message, Header="Transfer-Encoding")
        if request.method == "PUT" and request.header("content-length") is None:
            raise Refusal(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
        claim = claim_of(request)
        identity = self.identities.get(claim.access_key)
        if identity is None:
            message = "The AWS Access Key Id you provided does not exist in our records."
            raise Refusal(403, "InvalidAccessKeyId", message, AWSAccessKeyId=claim.access_key)
        self.check_region(claim, request)
        verify(request, claim, identity, self.clock())
        call = call_of(request)
        authorize(identity, call, request)
        self.check_bucket(call.bucket)
        self.protection.check(request, call, identity)
        return self.carry_out(request, call, identity)

    def preflight(self, request: Request) -> Response:
        """A browser's question before a cross-origin request: unsigned, so it tells nothing but the bucket's CORS rule."""
        self.check_bucket(bucket_of(request))
        return self.cors.preflight(request)

    def check_bucket(self, bucket: str) -> None:
        if self.objects.bucket(bucket) is None:
            raise Refusal(404, "NoSuchBucket", "The specified bucket does not exist", BucketName=bucket)

    def check_region(self, claim: Claim, request: Request) -> None:
        """S3 redirects to the bucket's region, and refuses scopes of any region that is not involved."""
        bucket = bucket_of(request)
        home = self.objects.region_of(bucket) or self.region
        if claim.region == home:
            return
        if claim.region == self.region:
            message = "The bucket you are attempting to access must be addressed using the specified endpoint."
            elements = {"Endpoint": f"{bucket}.s3.{home}.amazonaws.com", "Bucket": bucket}
            refusal = Refusal(301, "PermanentRedirect", message, **elements)
        else:
            kind = "AuthorizationQueryParametersError" if claim.lifetime is not None else "AuthorizationHeaderMalformed"
            message = f"The authorization is malformed; the region '{claim.region}' is wrong; expecting '{home}'"
            refusal = Refusal(400, kind, message, Region=home)
        refusal.headers = {"x-amz-bucket-region": home}
        raise refusal

    def carry_out(self, request: Request, call: Call, identity: Identity) -> Response:
        inner = self.paging.narrow(request, call.bucket) if call.listing else request
        response = self.objects.answer(inner, on_bucket=not call.key)
        if response.status == 404 and call.key and not identity.may("s3:ListBucket", call.bucket, call.key):
            raise denied(identity, call.action, f"{call.bucket}/{call.key}")  # existence is hidden from who may not list
        if call.action == "s3:PutObject" and response.status == 200:
            self.puts[call.bucket, call.key] = dict(request.headers)
        if call.listing and response.status == 200:
            response = self.paging.wrap(response, request, call.bucket)
        return finished(response, request, self.objects.region_of(call.bucket) or self.region)


def finished(response: Response, request: Request, region: str) -> Response:
    """Lengths as HTTP wants them; HEAD keeps the length of the object, its errors have none of a body."""
    if request.method == "HEAD" and response.status >= 400:
        response.body = b""
    if request.method != "HEAD" or response.status >= 400:
        response.body = b"" if response.status in (204, 304) else response.body
        response.headers["content-length"] = str(len(response.body))
    response.headers.setdefault("content-length", "0")
    if response.status in (204, 304):
        del response.headers["content-length"]
    if not request.path.strip("/").partition("/")[2]:
        response.headers["x-amz-bucket-region"] = region
    return response


def error_document(refusal: Refusal, request: Request) -> Response:
    elements = {"Code": refusal.code, "Message": refusal.message, **refusal.elements, "Resource": request.path}
    inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in elements.items())
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'.encode() if request.method != "HEAD" else b""
    headers = {"content-type": "application/xml", "content-length": str(len(body)), **refusal.headers}
    return Response(refusal.status, headers, body)
