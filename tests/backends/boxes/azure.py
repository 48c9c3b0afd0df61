"""A container of the Azure fake, reached with the account's key, or with tokens of the Entra fake."""

from pathlib import Path
from typing import Any

from tests.backends.harness import HOSTILE, Harness
from tests.fakes.azure import AzureFake
from tests.fakes.entra import STORAGE, EntraFake

CLIENT_ID, SECRET = "0a1b2c3d-1111-4222-8333-444455556666", "entra~secret-of-the-tests"


class AzureHarness(Harness):
    name = "azure"
    trouble = {
        "bad_credentials": lambda box: {"account_key": "d3Jvbmc="},
        "no_permission": lambda box: box.fake.allow_key(False) or {},
        "not_found": lambda box: {"container": "no-such-container"},
        "unreachable": lambda box: box.fake.refuse_all() or {},
        "throttled": lambda box: box.fake.fail_next(9) or {},
        "misconfigured": lambda box: {"container": "No_Container"},
    }
    hostile = [*HOSTILE, "double//slash.txt", "tilde~*()!$,;:@", "x" * 1000 + ".txt"]
    page_cap = 4

    def __init__(self, directory: Path | None = None) -> None:
        self.fake = self.start()
        self.container = self.fake.create_container()
        self.configure(**self.endpoints())

    def start(self) -> AzureFake:
        return AzureFake(page_cap=self.page_cap)

    def endpoints(self) -> dict[str, str]:
        return {"AZURE_BLOB_ENDPOINT_TEMPLATE": self.fake.url.replace(self.fake.account, "{account}")}

    def put(self, name: str, body: bytes) -> None:
        self.fake.put(self.container, name, body)

    def get(self, name: str) -> bytes | None:
        return self.fake.get(self.container, name)

    def forget_cursors(self) -> bool:
        self.fake.forget_markers()
        return True

    def settings(self, root: str = "") -> dict[str, Any]:
        keys = {"account_name": self.fake.account, "account_key": self.fake.key}
        return {"container": self.container, "prefix": root, **keys}

    def close(self) -> None:
        super().close()
        self.fake.close()


class AzureSPIHarness(AzureHarness):
    name = "azure_spi"
    trouble = AzureHarness.trouble | {
        "bad_credentials": lambda box: {"client_secret": "wrong"},
        "no_permission": lambda box: box.fake.deny("list") or {},
    }

    def start(self) -> AzureFake:
        self.entra = EntraFake(clients={CLIENT_ID: SECRET})
        return AzureFake(page_cap=self.page_cap, verify=lambda token: self.entra.verify(token, STORAGE) is not None)

    def endpoints(self) -> dict[str, str]:
        return super().endpoints() | {"AZURE_AUTHORITY_HOST": self.entra.url}

    def settings(self, root: str = "") -> dict[str, Any]:
        identity = {"tenant_id": self.entra.tenant, "client_id": CLIENT_ID, "client_secret": SECRET}
        return {"container": self.container, "prefix": root, "account_name": self.fake.account, **identity}

    def federate(self, file: Path) -> dict[str, str]:
        """Lets CLIENT_ID sign in with the token in ``file``; the environment that a platform gives its workloads."""
        file.write_text("token-of-the-platform\n")
        self.entra.assertions[CLIENT_ID] = "token-of-the-platform"
        return {
            "AZURE_FEDERATED_TOKEN_FILE": str(file),
            "AZURE_CLIENT_ID": CLIENT_ID,
            "AZURE_TENANT_ID": self.entra.tenant,
        }

    def close(self) -> None:
        super().close()
        self.entra.close()
