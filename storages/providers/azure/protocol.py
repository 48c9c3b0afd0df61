"""The Azure Blob REST protocol: Shared Key signatures, listings, error codes. Knows no connection and nothing of Django.

Sources: Azure Storage REST API Reference (List Blobs, Authorize with Shared Key, Status and error codes).
"""

import base64
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from storages import errors
from storages.providers.azure.listing import ListPage as ListPage
from storages.providers.azure.listing import parse_list as parse_list

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
HINTS = {  # what may be at fault beside the permission
    "AuthorizationFailure": "usually the account's firewall: let this server's network in",
    "KeyBasedAuthenticationNotPermitted": "the account takes no keys: allow key access, or use a service principal",
}
CAUSES = {  # what no role can change
    "AccountIsDisabled": "the storage account is disabled; enable it",
    "BlobImmutableDueToPolicy": "an immutability policy or a legal hold protects the blob; it can be changed when that has ended",
    "BlobArchived": "the blob is archived; rehydrate it",
    "BlobBeingRehydrated": "the blob is still being rehydrated; try again later",
    "SnapshotsPresent": "the blob has snapshots; delete them at Azure",
    "LeaseIdMissing": "somebody holds a lease on the blob; release or break it",
}
# "Authorize with Shared Key", Constructing the signature string, in this order
SIGNED = (
    "content-encoding content-language content-length content-md5 content-type date "
    "if-modified-since if-match if-none-match if-unmodified-since range"
).split()


def sign(method: str, url: str, headers: Mapping[str, str], body: bytes, account: str, key: bytes) -> str:
    """The Authorization header of a request that has its x-ms-date; with the account in the path it appears twice."""
    sent = {name.lower(): value for name, value in headers.items()} | ({"content-length": str(len(body))} if body else {})
    own = [f"{name}:{sent[name]}" for name in sorted(sent) if name.startswith("x-ms-")]
    parts = urlsplit(url)
    query = [f"{name}:{value}" for name, value in sorted(parse_qsl(parts.query, keep_blank_values=True))]
    lines = [method, *(sent.get(name, "") for name in SIGNED), *own, f"/{account}{parts.path}", *query]
    signature = base64.b64encode(hmac.digest(key, "\n".join(lines).encode(), "sha256")).decode()
    return f"SharedKey {account}:{signature}"


def error_code(headers: Mapping[str, str], body: bytes) -> str:
    """The code of an error answer, "" if it has none; an answer to HEAD has it in the header only."""
    _, found, rest = body[:4096].partition(b"<Code>")
    told = headers.get("x-ms-error-code", "")
    return told or (rest.partition(b"<")[0].decode("ascii", "ignore") if found else "")
