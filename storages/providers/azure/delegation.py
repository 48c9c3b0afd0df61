"""The client of a container that is reached with a bearer token; signs URLs with user delegation keys. Knows no models.

https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from storages import errors
from storages.providers import listing, tokens
from storages.providers.azure.client import AzureClient
from storages.providers.azure.entra import Principal

LIFE = 6 * 3600  # seconds asked for; "Get User Delegation Key" allows seven days
SKEW = timedelta(minutes=15)  # "Create a user delegation SAS", clock skew
READER, CONTRIBUTOR, DELEGATOR = (f"Storage Blob {name}" for name in ("Data Reader", "Data Contributor", "Delegator"))
# https://learn.microsoft.com/rest/api/storageservices/get-user-delegation-key#authorization
DELEGATE = "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action"
ACCOUNT = "/subscriptions/<subscription>/resourceGroups/<group>/providers/Microsoft.Storage/storageAccounts/"


class TokenClient(AzureClient):
    """One container. ``identity``: everything that a delegation key depends on, the secret included."""

    credential = "tenant, client id and client secret"
    grants = {
        "list": f"{READER} on the container {{container}}",
        "read": f"{READER} on the container {{container}}",
        "write": f"{CONTRIBUTOR} on the container {{container}}",
        "delete": f"{CONTRIBUTOR} on the container {{container}}",
        "sign": f"{DELEGATOR} ({DELEGATE}) at the storage account",
    }

    def __init__(
        self, endpoint: str, account: str, container: str, root: str, principal: Principal, identity: tuple[str, ...]
    ) -> None:
        super().__init__(endpoint, account, container, root)
        if not endpoint.startswith("https:"):
            raise errors.ConfigInvalid("a token is sent over https:// only; see AZURE_BLOB_ENDPOINT_TEMPLATE")
        self._principal, self._identity = principal, ("delegation", endpoint, *identity)

    def authorize(self, method: str, url: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
        return super().authorize(method, url, headers, body) | {"Authorization": f"Bearer {self._principal.token()}"}

    def renew(self) -> bool:
        return self._principal.renew()

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, verb: str, key: str) -> errors.StorageError:
        error = super().failure(status, headers, body, verb, key)
        if verb == "sign" and isinstance(error, errors.AccessDenied):
            error.args = (f"{error}; or turn pre-signed URLs off, and this server passes the bytes on",)
        return error

    def presign(self, key: str, ttl: int) -> str:
        return self.signed(key, ttl)[0]

    def signed(self, key: str, ttl: int) -> tuple[str, int]:
        """The URL never outlives the key it is signed with; a key that would end too soon is replaced first."""
        wanted = min(ttl, LIFE // 2)
        delegation, expires = tokens.token(self._identity, self._delegate, lambda found: _left(found[1]) > wanted)
        seconds = min(ttl, _left(expires))
        return self.sign_url(key, seconds, user_delegation_key=delegation), seconds

    def _delegate(self) -> tuple[tuple[Any, datetime], float]:
        """A key and its end ("Get User Delegation Key"), and the seconds it lives."""
        from azure.storage.blob import UserDelegationKey

        now = datetime.now(UTC)
        start, expiry = ((now + shift).strftime("%Y-%m-%dT%H:%M:%SZ") for shift in (-SKEW, timedelta(seconds=LIFE)))
        body = f"<KeyInfo><Start>{start}</Start><Expiry>{expiry}</Expiry></KeyInfo>".encode()
        url, headers = f"{self.endpoint}/?restype=service&comp=userdelegationkey", {"Content-Type": "application/xml"}
        answer = self.answer("POST", url, "sign", headers=headers, body=body)[1]
        key = UserDelegationKey()
        try:
            _, texts = listing.parse(answer, root="UserDelegationKey", entries=())
            key.signed_oid, key.signed_tid = texts["SignedOid"], texts["SignedTid"]
            key.signed_start, key.signed_expiry = texts["SignedStart"], texts["SignedExpiry"]
            key.signed_service, key.signed_version = texts["SignedService"], texts["SignedVersion"]
            key.value, expires = texts["Value"], datetime.fromisoformat(texts["SignedExpiry"])
            return (key, expires), (expires - now).total_seconds()
        except (KeyError, ValueError, TypeError) as error:
            raise errors.Unavailable(f"{self.host()} answered something that is no user delegation key") from error

    def policy(self, verbs: Collection[str]) -> Any:
        """Role assignments: https://learn.microsoft.com/azure/storage/blobs/assign-azure-role-data-access"""
        role = CONTRIBUTOR if {"write", "delete"} & set(verbs) else READER
        wanted = [{"role": role, "scope": f"{ACCOUNT}{self.account}/blobServices/default/containers/{self.container}"}]
        return [*wanted, {"role": DELEGATOR, "scope": ACCOUNT + self.account}] if "sign" in verbs else wanted


def _left(expires: datetime) -> int:
    return int((expires - datetime.now(UTC)).total_seconds()) - 1
