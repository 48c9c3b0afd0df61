"""The Azure Blob REST protocol: Shared Key signatures, listings, error codes. Knows no connection and nothing of Django.

Sources: Azure Storage REST API Reference (List Blobs, Authorize with Shared Key, Status and error codes).
"""

import base64
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote, urlsplit

from storages import errors
from storages.client import ObjectInfo
from storages.providers import listing

# https://learn.microsoft.com/rest/api/storageservices/versioning-for-the-azure-storage-services: listings tell directories
# apart since 2020-10-02 and escape names that XML cannot hold since 2021-02-12
VERSION = "2021-12-02"
# https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes and .../blob-service-error-codes
ERROR_CODES: dict[str, type[errors.StorageError]] = {
    "AuthenticationFailed": errors.BadCredentials,
    "InvalidAuthenticationInfo": errors.BadCredentials,
    "NoAuthenticationInformation": errors.BadCredentials,
    "PublicAccessNotPermitted": errors.BadCredentials,
    "AuthorizationFailure": errors.AccessDenied,
    "AuthorizationPermissionMismatch": errors.AccessDenied,
    "AuthorizationResourceTypeMismatch": errors.AccessDenied,
    "InsufficientAccountPermissions": errors.AccessDenied,
    "KeyBasedAuthenticationNotPermitted": errors.AccessDenied,
    "AccountIsDisabled": errors.AccessDenied,
    "BlobImmutableDueToPolicy": errors.AccessDenied,
    "BlobArchived": errors.AccessDenied,
    "BlobBeingRehydrated": errors.AccessDenied,
    "SnapshotsPresent": errors.AccessDenied,
    "LeaseIdMissing": errors.AccessDenied,
    "ContainerNotFound": errors.NotFound,
    "ContainerBeingDeleted": errors.NotFound,
    "BlobNotFound": errors.NotFound,
    "ResourceNotFound": errors.NotFound,
    "InvalidResourceName": errors.ConfigInvalid,
    "OutOfRangeInput": errors.ConfigInvalid,
    "InvalidUri": errors.ConfigInvalid,
    "InvalidHeaderValue": errors.ConfigInvalid,
    "InvalidXmlNodeValue": errors.ConfigInvalid,
    "TooManyRequests": errors.Throttled,
    "ServerBusy": errors.Throttled,
    "OperationTimedOut": errors.Throttled,
}
HINTS = {  # what no role can change
    "AuthorizationFailure": "usually the account's firewall: let this server's network in",
    "KeyBasedAuthenticationNotPermitted": "the account takes no keys: allow key access, or use a service principal",
    "AccountIsDisabled": "the storage account is disabled",
    "BlobImmutableDueToPolicy": "an immutability policy protects the blob",
    "BlobArchived": "the blob is archived: rehydrate it",
    "BlobBeingRehydrated": "the blob is still being rehydrated",
    "SnapshotsPresent": "the blob has snapshots: delete them at Azure",
    "LeaseIdMissing": "somebody holds a lease on the blob",
}
# "Authorize with Shared Key", Constructing the signature string, in this order
SIGNED = (
    "content-encoding content-language content-length content-md5 content-type date "
    "if-modified-since if-match if-none-match if-unmodified-since range"
).split()
MONTHS = {name: number for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
ENCODED_NAME = re.compile(rb'<Name Encoded="true">([^<]*)</Name>')


def sign(method: str, url: str, headers: Mapping[str, str], body: bytes, account: str, key: bytes) -> str:
    """The Authorization header of a request that has its x-ms-date; with the account in the path it appears twice."""
    sent = {name.lower(): value for name, value in headers.items()} | ({"content-length": str(len(body))} if body else {})
    own = [f"{name}:{sent[name]}" for name in sorted(sent) if name.startswith("x-ms-")]
    parts = urlsplit(url)
    query = [f"{name}:{value}" for name, value in sorted(parse_qsl(parts.query, keep_blank_values=True))]
    lines = [method, *(sent.get(name, "") for name in SIGNED), *own, f"/{account}{parts.path}", *query]
    signature = base64.b64encode(hmac.digest(key, "\n".join(lines).encode(), "sha256")).decode()
    return f"SharedKey {account}:{signature}"


def parse_list(body: bytes) -> tuple[list[ObjectInfo], str]:
    """(blobs, next marker) of a List Blobs answer; names ending in "/" and directories of Data Lake accounts are left out.

    Directories are told by ResourceType, not by the metadata hdi_isfolder: asking for metadata makes the answer longer, and
    its names are free, so that one called Name would pass for the blob's. Raises ConfigInvalid if the body is no listing.
    """
    if b'Encoded="true"' in body:
        body = ENCODED_NAME.sub(rb"<EncodedName>\1</EncodedName>", body)
    objects = []
    try:
        entries, texts = listing.parse(body, root="EnumerationResults", entries=("Blob",))
        for _, entry in entries:
            key = unquote(entry["EncodedName"]) if "EncodedName" in entry else entry["Name"]
            if not key.endswith("/") and entry.get("ResourceType") != "directory":
                etag, kind = entry.get("Etag", "").strip('"'), entry.get("Content-Type", "")
                objects.append(ObjectInfo(key, int(entry["Content-Length"]), _moment(entry["Last-Modified"]), etag, kind))
    except (KeyError, ValueError):  # another document; an entry without name, with a size or time that is none
        raise errors.ConfigInvalid(
            "the answer is not a listing of Azure Blob Storage; check account_name and container"
        ) from None
    return objects, texts.get("NextMarker", "")


def _moment(text: str) -> datetime:
    """The time of an IMF-fixdate (RFC 9110 §5.6.7); email.utils takes a quarter of a listing's time for the same."""
    hour, minute, second = text[17:25].split(":")
    return datetime(int(text[12:16]), MONTHS[text[8:11]], int(text[5:7]), int(hour), int(minute), int(second), tzinfo=UTC)


def error_code(headers: Mapping[str, str], body: bytes) -> str:
    """The code of an error answer, "" if it has none; an answer to HEAD has it in the header only."""
    _, found, rest = body[:4096].partition(b"<Code>")
    told = headers.get("x-ms-error-code", "")
    return told or (rest.partition(b"<")[0].decode("ascii", "ignore") if found else "")
