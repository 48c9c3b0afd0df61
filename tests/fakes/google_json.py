"""storage.googleapis.com, JSON API: finds the call in the raw path, asks for the permissions, then for the store.

Source: Cloud Storage JSON API v1, Objects and Buckets; "IAM permissions for JSON methods".
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from tests.fakes.claims import Refusal
from tests.fakes.google_access import Access
from tests.fakes.google_errors import reply, sized
from tests.fakes.google_fields import OBJECT, select
from tests.fakes.google_listing import Lister
from tests.fakes.google_media import media
from tests.fakes.google_objects import Store, Stored, resource_of
from tests.fakes.google_tokens import Token
from tests.fakes.google_uploads import Uploads
from tests.fakes.wire import Request, Response

# an object's name is one segment, "/" in it is %2F: "Request endpoints", part "Encoding URI path parts"
NAMED = r"(?:/download)?/storage/v1/b/([^/]+)/o/([^/]+)"


@dataclass
class JsonApi:
    store: Store
    access: Access
    lister: Lister
    uploads: Uploads

    def answer(self, request: Request) -> Response:
        """Raises Refusal with a reason of the JSON API."""
        if request.path.startswith("/upload/") and request.method == "PUT":
            return self.uploads.resume(request)  # the session's secret URL is all that such a call needs
        token = self.access.caller(request)
        for methods, pattern, handle in ROUTES:
            match = re.fullmatch(pattern, request.path)
            if match is not None and request.method in methods:
                names = [decoded(part) for part in match.groups()]
                self.store.bucket(names[0])
                return handle(self, request, token, *names)
        raise Refusal(404, "notFound", "Not Found")

    def list(self, request: Request, token: Token, bucket: str) -> Response:
        self.access.require(token, "storage.objects.list", bucket)
        return reply(self.lister.page(request, bucket))

    def read(self, request: Request, token: Token, bucket: str, name: str) -> Response:
        self.access.require(token, "storage.objects.get", bucket)
        stored = self.store.find(bucket, name)
        check_generation(request, stored)
        if request.parameter("alt") == "media":
            return media(request, stored, {})
        return reply(select(resource_of(bucket, stored), request.parameter("fields"), OBJECT), headers={"etag": stored.etag})

    def delete(self, request: Request, token: Token, bucket: str, name: str) -> Response:
        self.access.require(token, "storage.objects.delete", bucket)
        with self.store.lock:
            check_generation(request, self.store.find(bucket, name))
            self.store.bucket(bucket).require_free(name)
            del self.store.bucket(bucket).objects[name]
        return sized(204)

    def insert(self, request: Request, token: Token, bucket: str) -> Response:
        def admit(name: str) -> None:
            self.access.require(token, "storage.objects.create", bucket)
            existing = self.store.bucket(bucket).objects.get(name)
            check_generation(request, existing)
            if existing is not None:  # overwriting is creating and deleting: "IAM permissions for JSON methods", note on insert
                self.access.require(token, "storage.objects.delete", bucket)
                self.store.bucket(bucket).require_free(name)

        return self.uploads.answer(request, bucket, admit)

    def test_permissions(self, request: Request, token: Token, bucket: str) -> Response:
        asked = [value.decode() for name, value in request.parameters if name == b"permissions"]
        held = [one for one in asked if token.lets(one) and self.access.granted(token.principal, one, bucket)]
        return reply({"kind": "storage#testIamPermissionsResponse"} | ({"permissions": held} if held else {}))

    def bucket(self, request: Request, token: Token, bucket: str) -> Response:
        self.access.require(token, "storage.buckets.get", bucket)
        return reply({"kind": "storage#bucket", "id": bucket, "name": bucket, "location": "EU", "storageClass": "STANDARD"})


ROUTES: list[tuple[tuple[str, ...], str, Callable[..., Response]]] = [
    (("GET",), r"/storage/v1/b/([^/]+)/o", JsonApi.list),
    (("GET", "HEAD"), NAMED, JsonApi.read),
    (("DELETE",), r"/storage/v1/b/([^/]+)/o/([^/]+)", JsonApi.delete),
    (("POST",), r"/upload/storage/v1/b/([^/]+)/o", JsonApi.insert),
    (("GET",), r"/storage/v1/b/([^/]+)/iam/testPermissions", JsonApi.test_permissions),
    (("GET",), r"/storage/v1/b/([^/]+)", JsonApi.bucket),
]


def decoded(part: str) -> str:
    try:
        return unquote_to_bytes(part).decode()
    except UnicodeDecodeError as error:
        raise Refusal(400, "invalid", "The specified name is not valid UTF-8.") from error


def check_generation(request: Request, stored: Stored | None) -> None:
    """ifGenerationMatch, 0 for "must not exist" ("Request preconditions"), and ``generation`` itself. Raises Refusal."""
    generation, wanted = str(stored.generation if stored else 0), request.parameter("ifGenerationMatch")
    if wanted is not None and not wanted.isdigit():
        raise Refusal(400, "invalidParameter", "Invalid value for ifGenerationMatch.")
    if wanted not in (None, generation):
        raise Refusal(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
    if request.parameter("generation") not in (None, generation) and stored is not None:
        raise Refusal(404, "notFound", f"No such object: {stored.name}#{request.parameter('generation')}")
