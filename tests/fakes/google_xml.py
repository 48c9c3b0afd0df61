"""storage.googleapis.com, path-style XML API: signed URLs (or a bearer token), and CORS, which only this API has.

Source: Cloud Storage XML API "GET Object", "PUT Object"; "Cross-origin resource sharing (CORS)".
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tests.fakes.claims import Refusal
from tests.fakes.google_access import Access
from tests.fakes.google_errors import sized
from tests.fakes.google_json import decoded
from tests.fakes.google_media import media
from tests.fakes.google_objects import Store, Stored
from tests.fakes.google_signed import signer_of
from tests.fakes.google_uploads import DEFAULT_TYPE, check_hashes
from tests.fakes.wire import Request, Response

# what the JSON API calls it, in the words of the XML API
CODES = {
    "notFound": "NoSuchKey",
    "forbidden": "AccessDenied",
    "insufficientPermissions": "AccessDenied",
    "required": "AuthenticationRequired",
    "authError": "AuthenticationRequired",
    "invalid": "InvalidArgument",
}


@dataclass
class XmlApi:
    """``emails``: the service accounts that exist; ``clock``: aware UTC times."""

    store: Store
    access: Access
    emails: set[str]
    clock: Callable[[], datetime]

    def answer(self, request: Request) -> Response:
        """Raises Refusal with a code of the XML API."""
        bucket, _, name = (decoded(part) for part in request.path.removeprefix("/").partition("/"))
        response = sized(200) if request.method == "OPTIONS" else self.admitted(request, bucket, name)
        response.headers |= self.cors(request, bucket)
        return response

    def admitted(self, request: Request, bucket: str, name: str) -> Response:
        try:
            return self.carry_out(request, bucket, name)
        except Refusal as refusal:
            refusal.code = CODES.get(refusal.code, refusal.code)
            raise

    def carry_out(self, request: Request, bucket: str, name: str) -> Response:
        may = self.caller(request)
        if bucket not in self.store.buckets:
            raise Refusal(404, "NoSuchBucket", "The specified bucket does not exist.")
        if name and request.method in ("GET", "HEAD"):
            may("storage.objects.get", bucket)
            return self.read(request, self.store.find(bucket, name))
        if name and request.method == "PUT":
            return self.write(request, bucket, name, may)
        raise Refusal(501, "NotImplemented", f"{request.method} {request.path} is not served by this store.")

    def caller(self, request: Request) -> Callable[[str, str], None]:
        """How to require a permission on a bucket of whoever sent the request. Raises Refusal."""
        if request.parameter("X-Goog-Algorithm") is not None:
            email = signer_of(request, self.emails, self.clock())
            return lambda permission, bucket: self.access.require_granted(email, permission, bucket)
        token = self.access.caller(request)
        return lambda permission, bucket: self.access.require(token, permission, bucket)

    def read(self, request: Request, stored: Stored) -> Response:
        asked = {name: request.parameter(f"response-{name}") for name in ("content-type", "content-disposition")}
        return media(request, stored, {"etag": f'"{stored.md5_hex}"'} | {name: value for name, value in asked.items() if value})

    def write(self, request: Request, bucket: str, name: str, may: Callable[[str, str], None]) -> Response:
        content_type = request.header("content-type") or DEFAULT_TYPE
        check_hashes(request, {}, Stored(name, request.body, content_type, 0, self.clock()))
        with self.store.lock:
            may("storage.objects.create", bucket)
            if name in self.store.bucket(bucket).objects:
                may("storage.objects.delete", bucket)
            stored = self.store.put(bucket, name, request.body, content_type)
        hashes = f"crc32c={stored.crc32c},md5={stored.md5}"
        etag = f'"{stored.md5_hex}"'
        return sized(200, headers={"etag": etag, "x-goog-generation": str(stored.generation), "x-goog-hash": hashes})

    def cors(self, request: Request, bucket: str) -> dict[str, str]:
        """Without a rule that names the origin there are no such headers, and a preflight is 200 all the same."""
        origin, rule = request.header("origin"), self.store.buckets.get(bucket)
        allowed = (rule.origins if rule else None) or []
        if origin is None or not {origin, "*"} & set(allowed):
            return {}
        headers = {"access-control-allow-origin": "*" if "*" in allowed else origin, "vary": "Origin"}
        preflight = {"access-control-allow-methods": "GET,HEAD,PUT", "access-control-allow-headers": "Range,Content-Type"}
        exposed = {"access-control-expose-headers": "Content-Range,Content-Length,Content-Type,ETag,Accept-Ranges"}
        return headers | (preflight | {"access-control-max-age": "3600"} if request.method == "OPTIONS" else exposed)
