"""Clients that drive the Azure fake: azure-storage-blob with the account's key or a token, and plain HTTP."""

import time
from datetime import datetime, timedelta

import pytest
import urllib3
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient, generate_blob_sas

from tests.environment import tls_directory
from tests.fakes.azure import AzureFake

TOKEN = "a-good-token"


class Token:
    """A credential with one fixed token; counts how often, and for which tenant, it was asked."""

    def __init__(self, text: str = TOKEN) -> None:
        self.text = text
        self.asked: list[str | None] = []

    def get_token(self, *scopes: str, tenant_id: str | None = None, **options: object) -> AccessToken:
        assert scopes == ("https://storage.azure.com/.default",)
        self.asked.append(tenant_id)
        return AccessToken(self.text, int(time.time()) + 3600)


def service(fake: AzureFake, credential: Token | None = None, key: str | None = None) -> BlobServiceClient:
    """A client with ``credential``, else with ``key`` or the account's own; it never retries."""
    pair = {"account_name": fake.account, "account_key": key or fake.key}
    return BlobServiceClient(fake.url, credential=credential or pair, retry_total=0, connection_verify=authority())


def authority() -> str:
    return str(tls_directory() / "ca.pem")


def fetch(method: str, url: str, headers: dict[str, str] | None = None) -> urllib3.BaseHTTPResponse:
    with urllib3.PoolManager(ca_certs=authority()) as pool:
        return pool.request(method, url, headers=headers, timeout=10, retries=False)


def code_of(answer: urllib3.BaseHTTPResponse) -> tuple[int, str | None]:
    return answer.status, answer.headers.get("x-ms-error-code")


def refusal(call: object, *arguments: object, **named: object) -> tuple[int | None, str]:
    """(status, code) of the refusal that the call meets."""
    with pytest.raises(HttpResponseError) as caught:
        call(*arguments, **named)  # type: ignore[operator]
    code = caught.value.error_code  # type: ignore[attr-defined]
    return caught.value.status_code, str(getattr(code, "value", code))


def delegation_key(fake: AzureFake, hours: float = 1) -> object:
    now = fake.now()
    return service(fake, Token()).get_user_delegation_key(now - timedelta(minutes=15), now + timedelta(hours=hours))


def signed_url(fake: AzureFake, container: str, expiry: datetime | None = None, **signer: object) -> str:
    """A URL of ``container``/a.txt that lives a minute, signed with the account's key or ``user_delegation_key``."""
    signer = signer or {"account_key": fake.key}
    signer = {"permission": "r", "expiry": expiry or fake.now() + timedelta(minutes=1), **signer}
    return f"{fake.url}/{container}/a.txt?{generate_blob_sas(fake.account, container, 'a.txt', **signer)}"
