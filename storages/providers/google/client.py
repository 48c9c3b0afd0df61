"""The client of one Cloud Storage bucket: the JSON API; knows no Django model and no kind of credentials.

Source: https://cloud.google.com/storage/docs/json_api/v1 (Objects, Buckets: testIamPermissions).
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from django.conf import settings

from storages import errors
from storages.client import EVERYTHING, Capabilities, ObjectInfo, Page, Span
from storages.providers.google import signing as gcs_signing
from storages.providers.google.auth import Identity
from storages.providers.http import HTTPClient
from storages.providers.rounds import Rounds

PAGE_SIZE = 1000  # "Objects: list", maxResults
ENTRY = "name,size,updated,generation,contentType"
DESCRIBED = f"{ENTRY},contentEncoding"
# https://cloud.google.com/storage/docs/json_api/v1/status-codes: error.errors[].reason. "required" is left to the status:
# it is a missing parameter (400), a missing length (411) or a missing token (401)
CODES: dict[str, type[errors.StorageError]] = {
    "authError": errors.BadCredentials,
    "expired": errors.BadCredentials,
    "lockedDomainExpired": errors.BadCredentials,
    "accountDisabled": errors.AccessDenied,
    "forbidden": errors.AccessDenied,
    "insufficientPermissions": errors.AccessDenied,
    "retentionPolicyNotMet": errors.AccessDenied,
    "objectUnderActiveHold": errors.AccessDenied,
    "UserProjectAccountProblem": errors.ConfigInvalid,
    "UserProjectMissing": errors.ConfigInvalid,
    "countryBlocked": errors.ConfigInvalid,
    "sslRequired": errors.ConfigInvalid,
    "invalid": errors.ConfigInvalid,
    "invalidParameter": errors.ConfigInvalid,
    "notFound": errors.NotFound,
    "rateLimitExceeded": errors.Throttled,
    "userRateLimitExceeded": errors.Throttled,
    "dailyLimitExceeded": errors.Throttled,
    "quotaExceeded": errors.Throttled,
    "backendError": errors.Unavailable,
    "internalError": errors.Unavailable,
    "requestTimeout": errors.TimedOut,
}
CAUSES = {  # what no role can change
    "retentionPolicyNotMet": "a retention policy keeps the object; it can be changed when its time is over",
    "objectUnderActiveHold": "a hold keeps the object; release it",
    "accountDisabled": "the project's billing account is disabled; enable it",
}
PERMISSIONS = {verb: f"storage.objects.{verb}" for verb in ("list", "get", "create", "delete")}
NEEDED = {"write": ("create", "delete"), "delete": ("delete",)}
VIEWER, USER = "roles/storage.objectViewer", "roles/storage.objectUser"


class Entries(NamedTuple):
    """One answer: objects with folder markers among them, folders, the greatest name of both, the token of the next page."""

    objects: list[ObjectInfo]
    folders: Sequence[str]
    greatest: str
    token: str


class GCSClient(HTTPClient):
    """One bucket, reached with one identity."""

    scheme = "gs"
    capabilities = Capabilities(presign=True, ranges=True, subfolders=True, if_match=False)  # its etag is the generation
    service, settings = "Google Cloud Storage", "bucket and prefix"
    codes, causes = CODES, CAUSES
    grants = {
        "list": f"storage.objects.list ({VIEWER}) on gs://{{container}}",
        "read": f"storage.objects.get ({VIEWER}) on gs://{{container}}",
        "write": f"storage.objects.create and storage.objects.delete ({USER}), since overwriting deletes, on gs://{{container}}",
        "delete": f"storage.objects.delete ({USER}) on gs://{{container}}",
    }

    def __init__(self, bucket: str, root: str, identity: Identity) -> None:
        self.container, self.root, self.identity = bucket, root, identity
        self.credential = identity.credential
        self.base = settings.GCS_API_ENDPOINT.rstrip("/")

    def url(self, key: str = "", query: Mapping[str, str] | None = None, service: str = "") -> str:
        path = f"{self.base}{service}/storage/v1/b/{self.container}/o" + (f"/{quote(key, safe='')}" if key else "")
        return f"{path}?{urlencode(query, quote_via=quote)}" if query else path

    def media_url(self, key: str) -> str:
        return self.url(key, {"alt": "media"}, "/download")

    def authorize(self, method: str, url: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
        if url.startswith(f"{self.base}/download/"):
            # else objects stored compressed come decompressed, without their length, and their ranges are ignored:
            # https://cloud.google.com/storage/docs/transcoding "Using the Range header", "Decompressive transcoding"
            headers["Accept-Encoding"] = "gzip"
        return headers | {"Authorization": f"Bearer {self.identity.token()}"}

    def renew(self) -> bool:
        return self.identity.renew()

    def code_of(self, headers: Mapping[str, str], body: bytes) -> str:
        try:
            return str(json.loads(body)["error"]["errors"][0]["reason"])
        except (ValueError, LookupError, TypeError, RecursionError):
            return ""

    def list(self, *, recursive: bool, after: str = "", span: Span = EVERYTHING) -> Iterator[Page]:
        """The cursor is the greatest name or folder of the page; names come in the order of their bytes.

        Google's own end of a range is exclusive, and no name can be said that comes next behind ``span.high``: we cut there.
        """
        self.check_span(span)
        last = low = max(after, span.low)
        for page in self._pages(self._query(span.folder or self.root, low, recursive=recursive)):
            objects, last = page.objects, max(last, page.greatest)
            if objects and objects[0].key == low:
                del objects[0]
            if span.high and last > span.high:
                objects = [item for item in objects if item.key <= span.high]
            markers = [item.key for item in objects if item.key.endswith("/")]
            objects = [item for item in objects if not item.key.endswith("/")] if markers else objects
            ends = not page.token or (span.high and last >= span.high)
            if last or ends:  # an empty page at the very beginning has no cursor
                yield Page(objects, "" if ends else last, markers)
            if ends:
                return

    def folder_pages(self, folder: str) -> Iterator[Sequence[str]]:
        return (page.folders for page in self._pages(self._query(folder, recursive=False)))

    def _pages(self, query: dict[str, str]) -> Iterator[Entries]:
        """Every page of the provider's."""
        rounds = Rounds("the page token of Google Cloud Storage")
        while True:
            page = self._page(query)
            if page.token:
                rounds.pass_by(page.token)
            yield page
            if not page.token:
                return
            query["pageToken"] = page.token

    def _query(self, folder: str, low: str = "", *, recursive: bool = True) -> dict[str, str]:
        """Without nextPageToken among its fields a listing would end after its first page. ``low`` itself comes, too."""
        fields = f"items({ENTRY}),nextPageToken" + ("" if recursive else ",prefixes")
        query = {"fields": fields, "maxResults": str(PAGE_SIZE), "prefix": folder}
        return query | ({} if recursive else {"delimiter": "/"}) | ({"startOffset": low} if low else {})

    def _page(self, query: Mapping[str, str]) -> Entries:
        """One page of the provider's. Raises ConfigInvalid if the answer is something else."""
        body = self.answer("GET", self.url("", query), "list")[1]
        with _believed():
            document = json.loads(body)
            entries = [_info(entry) for entry in document.get("items") or ()]
            folders = document.get("prefixes") or ()
            greatest = max([entries[-1].key if entries else "", *folders])
            token = document.get("nextPageToken") or ""
            token.encode()
        return Entries(entries, folders, greatest, token)

    def try_list(self, *, wanted: bool) -> str | None:
        if wanted:
            return super().try_list(wanted=True)
        self._page(self._query(self.root) | {"maxResults": "1"})
        return None

    def try_write(self, *, tidy: bool) -> None:
        self._try_permissions("write")

    def try_delete(self) -> None:
        self._try_permissions("delete")

    def require_container(self) -> None:
        self._try_permissions("delete")  # needs no other permission than the deletion before it

    def _try_permissions(self, verb: str) -> None:
        """Asks what we may do instead of doing it: "Buckets: testIamPermissions" needs no permission and changes nothing."""
        wanted = [PERMISSIONS[one] for one in NEEDED[verb]]
        query = urlencode([("permissions", one) for one in wanted])
        url = f"{self.base}/storage/v1/b/{self.container}/iam/testPermissions?{query}"
        body = self.answer("GET", url, verb)[1]
        with _believed():
            held = json.loads(body).get("permissions") or ()
            lacking = [one for one in wanted if one not in held]
        if lacking:
            raise self.refusal(errors.AccessDenied, verb, told=f"not granted: {', '.join(lacking)}")

    def stat(self, key: str) -> ObjectInfo:
        body = self.answer("GET", self.url(key, {"fields": DESCRIBED}), "read", key)[1]
        with _believed():
            return _info(json.loads(body))

    def info_of(self, key: str, headers: Mapping[str, str]) -> ObjectInfo:
        """The generation is the validator everywhere: the two APIs give different ETags for one object."""
        return super().info_of(key, headers)._replace(etag=headers.get("x-goog-generation", ""))

    def write(self, key: str, data: bytes, content_type: str = "application/json") -> None:
        url = self.url("", {"uploadType": "media", "name": key}, "/upload")
        self.answer("POST", url, "write", key, headers={"Content-Type": content_type}, body=data)

    def presign(self, key: str, ttl: int) -> str:
        return self.signed(key, ttl)[0]

    def signed(self, key: str, ttl: int) -> tuple[str, int]:
        return gcs_signing.signed_url(self.identity, self.container, key, ttl)

    def policy(self, verbs: Collection[str]) -> dict[str, Any]:
        """Bindings for the bucket's IAM policy, and for that of the service account where it needs some.

        https://cloud.google.com/storage/docs/access-control/iam-roles, https://cloud.google.com/iam/docs/reference/rest/v1/Policy
        """
        role = USER if {"write", "delete"} & set(verbs) else VIEWER
        policy = {"bucket": {"bindings": [{"role": role, "members": [self.identity.member]}]}}
        own = self.identity.bindings("sign" in verbs)
        return policy | ({"service_account": {"bindings": own}} if own else {})

    def cors_rule(self, origin: str) -> Any:
        """As ``gcloud storage buckets update --cors-file`` takes it: https://cloud.google.com/storage/docs/cors-configurations

        ``responseHeader`` lists both what scripts may send and what they may read.
        """
        headers = ["Accept-Ranges", "Content-Length", "Content-Range", "Content-Type", "ETag", "Range"]
        return [{"origin": [origin], "method": ["GET", "HEAD"], "responseHeader": headers, "maxAgeSeconds": 3600}]


def _info(entry: Mapping[str, Any]) -> ObjectInfo:
    """An object resource with the fields of ENTRY or DESCRIBED; sizes and generations are strings."""
    modified = datetime.fromisoformat(entry["updated"])
    kind, encoding = entry.get("contentType") or "", entry.get("contentEncoding") or ""
    return ObjectInfo(entry["name"], int(entry["size"]), modified, str(entry["generation"]), kind, encoding)


@contextmanager
def _believed() -> Iterator[None]:
    """An answer that is not of the JSON API's form raises ConfigInvalid."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
        message = "the answer is not one of Google Cloud Storage; check GCS_API_ENDPOINT and proxies of the server"
        raise errors.ConfigInvalid(message) from None
