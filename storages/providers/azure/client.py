"""The client of one Azure Blob container; knows no Django model and no settings."""

import base64
import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from storages import egress, errors
from storages.client import EVERYTHING, Capabilities, Page, Span
from storages.providers.azure import protocol
from storages.providers.http import HTTPClient
from storages.providers.rounds import Rounds

PAGE_SIZE = 5000  # "List Blobs", URI parameter maxresults


class AzureClient(HTTPClient):
    """One container; a subclass proves the identity and signs URLs. ``endpoint``: the account's blob service."""

    scheme = "azure-blob"
    capabilities = Capabilities(presign=True, subfolders=True)
    service = "Azure Blob Storage"
    settings = "account_name, container and prefix"
    codes, causes, no_object = protocol.ERROR_CODES, protocol.CAUSES, "BlobNotFound"

    def __init__(self, endpoint: str, account: str, container: str, root: str) -> None:
        self.endpoint, self.account, self.container, self.root = endpoint, account, container, root

    def url(self, key: str = "", query: Mapping[str, str] | None = None) -> str:
        """Raises Malformed for a key with a backslash: Azure reads it as a slash, which would lead out of the root."""
        if "\\" in key:
            raise errors.Malformed(f"{key!r} has a backslash, which Azure takes for a slash; use /")
        base = f"{self.endpoint}/{quote(self.container)}" + (f"/{quote(key, safe='/~')}" if key else "")
        return f"{base}?{urlencode(query, quote_via=quote)}" if query else base

    def authorize(self, method: str, url: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
        return headers | {"x-ms-version": protocol.VERSION, "x-ms-date": format_datetime(datetime.now(UTC), usegmt=True)}

    def code_of(self, headers: Mapping[str, str], body: bytes) -> str:
        return protocol.error_code(headers, body)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, verb: str, key: str) -> errors.StorageError:
        error = super().failure(status, headers, body, verb, key)
        if hint := protocol.HINTS.get(self.code_of(headers, body)):
            error.args = (f"{error}: {hint}",)
        return error

    def _request(self, method: str, url: str, headers: dict[str, str], body: bytes) -> Any:
        try:
            return super()._request(method, url, headers, body)
        except errors.Unavailable as error:
            if type(error) is not errors.Unavailable or self._is_known():
                raise
            message = "Azure knows no storage account of this name, or this server's DNS does not; check account_name"
            raise errors.Unavailable(message, field="account_name") from error

    def _is_known(self) -> bool:
        """Whether the account's host has an address: accounts have no other sign of life without credentials."""
        parts = urlsplit(self.endpoint)
        try:
            egress.resolve(parts.hostname or "", parts.port or 443)
        except errors.Unavailable:
            return False
        return True

    def list(self, *, recursive: bool, after: str = "", span: Span = EVERYTHING) -> Iterator[Page]:
        """The cursor is Azure's own marker."""
        self.check_span(span)
        for page in self._pages(span.folder or self.root, "" if recursive else "/", after):
            yield Page(page.objects, page.marker, page.left_out)

    def folder_pages(self, folder: str) -> Iterator[Sequence[str]]:
        return (page.folders for page in self._pages(folder, "/"))

    def _pages(self, folder: str, delimiter: str, marker: str = "") -> Iterator[protocol.ListPage]:
        """Every page of the provider's behind ``marker``."""
        rounds = Rounds("the account's marker")
        rounds.pass_by(marker)
        while True:
            page = self._page(folder, delimiter, marker)
            if page.marker:
                rounds.pass_by(page.marker)
            yield page
            if not page.marker:
                return
            marker = page.marker

    def _page(self, folder: str, delimiter: str = "", marker: str = "", size: int = PAGE_SIZE) -> protocol.ListPage:
        """Raises CursorLost for a bad request that had a marker: its error codes are those of any parameter."""
        query = {"restype": "container", "comp": "list", "maxresults": str(size), "prefix": folder}
        query |= {name: value for name, value in (("marker", marker), ("delimiter", delimiter)) if value}
        response, body = self.answer("GET", self.url("", query), "list", accept=(400,) if marker else ())
        if response.status == 400:
            raise errors.CursorLost(f"{self.service} no longer takes the marker of an earlier listing; list anew")
        return protocol.parse_list(body)

    @property
    def place(self) -> str:
        return f"{self.endpoint}/{self.container}/"

    def try_list(self, *, wanted: bool) -> str | None:
        if wanted:
            return super().try_list(wanted=True)
        self._page(self.root, size=1)
        return None

    def write(self, key: str, data: bytes, content_type: str = "application/json") -> None:
        headers = {"Content-Type": content_type, "x-ms-blob-type": "BlockBlob"}
        self.answer("PUT", self.url(key), "write", key, headers=headers, body=data)

    def try_write(self, *, tidy: bool) -> None:
        """A replacement under a condition that no blob meets: 412 tells the permission, and nothing is written."""
        url, headers = self.url(self.probe_key), {"If-Match": '"0x0"', "x-ms-blob-type": "BlockBlob"}
        response, _ = self.answer("PUT", url, "write", self.probe_key, headers=headers, body=b"{}", accept=(412,))
        if response.status != 412 and tidy:
            with suppress(errors.StorageError):  # the condition was ignored; no scan takes the small blob
                self.delete(self.probe_key)

    def sign_url(self, key: str, ttl: int, **signer: Any) -> str:
        """A URL that may GET this one blob for ``ttl`` seconds ("Create a service SAS"). ``signer``: see generate_blob_sas."""
        from azure.storage.blob import generate_blob_sas

        expiry = datetime.now(UTC) + timedelta(seconds=ttl)
        https = "https" if self.endpoint.startswith("https:") else None
        kind, _ = mimetypes.guess_type(key)
        options = {"permission": "r", "expiry": expiry, "protocol": https, "content_type": kind}
        return f"{self.url(key)}?{generate_blob_sas(self.account, self.container, key, **options, **signer)}"

    def cors_rule(self, origin: str) -> Any:
        """https://learn.microsoft.com/rest/api/storagerp/blob-services/set-service-properties, properties.cors"""
        return {
            "corsRules": [
                {
                    "allowedOrigins": [origin],
                    "allowedMethods": ["GET", "HEAD", "OPTIONS"],
                    "allowedHeaders": ["*"],
                    "exposedHeaders": ["Accept-Ranges", "Content-Length", "Content-Range", "ETag"],
                    "maxAgeInSeconds": 3600,
                }
            ]
        }


class KeyClient(AzureClient):
    """A container reached with the key of its account, which may do everything."""

    credential = "account name and account key"
    grants = dict.fromkeys(("list", "read", "write", "delete"), "'Allow storage account key access' at the storage account")

    def __init__(self, endpoint: str, account: str, container: str, root: str, key: str) -> None:
        super().__init__(endpoint, account, container, root)
        self._key = key

    def authorize(self, method: str, url: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
        headers = super().authorize(method, url, headers, body)
        key = base64.b64decode(self._key)
        return headers | {"Authorization": protocol.sign(method, url, headers, body, self.account, key)}

    def host(self) -> str:
        """Said in messages, which the database keeps: this account's name is as secret as its key (contract of the API)."""
        return "the blob service of account_name"

    def presign(self, key: str, ttl: int) -> str:
        return self.sign_url(key, ttl, account_key=self._key)
