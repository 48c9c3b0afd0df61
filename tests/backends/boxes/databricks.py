"""A volume of the Databricks fake."""

from pathlib import Path
from typing import Any

from tests.backends.harness import HOSTILE, Harness
from tests.fakes.databricks import DatabricksFake
from tests.fakes.entra import TENANT, EntraFake

CLIENT, SECRET = "7d1c8c1e-0000-4000-8000-00000000c11e", "the principal's secret"
VOLUME = "/Volumes/main/default/data"


class DatabricksHarness(Harness):
    name = "databricks"
    trouble = {
        "bad_credentials": lambda box: {"token": "dapiwrong"},
        "no_permission": lambda box: box.fake.add_pat("dapireader") or {"token": "dapireader"},
        "not_found": lambda box: {"volume": "missing"},
        "unreachable": lambda box: box.fake.refuse_all() or {},
        "throttled": lambda box: box.fake.fail_next(9, 429, "REQUEST_LIMIT_EXCEEDED") or {},
        "misconfigured": lambda box: {"host": box.fake.url + "/path"},
    }
    hostile = [*HOSTILE, "x" * 250]

    def __init__(self, directory: Path) -> None:
        self.entra = EntraFake(clients={CLIENT: SECRET})
        self.fake = DatabricksFake(page_cap=4, entra=self.entra)
        self.fake.add_principal(CLIENT, SECRET)
        self.fake.grant(CLIENT, "main", "ALL PRIVILEGES")
        self.configure(AZURE_AUTHORITY_HOST=self.entra.url)

    def put(self, name: str, body: bytes) -> None:
        self.fake.put(f"{VOLUME}/{name}", body)

    def get(self, name: str) -> bytes | None:
        return self.fake.get(f"{VOLUME}/{name}")

    def settings(self, root: str = "") -> dict[str, Any]:
        place = {"catalog": "main", "schema": "default", "volume": "data", "prefix": root}
        return {"host": self.fake.url, **place, **self.signed_in()}

    def forget_cursors(self) -> bool:
        self.fake.forget_page_tokens()
        return True

    def signed_in(self) -> dict[str, Any]:
        return {"auth_type": "pat", "token": self.fake.pat}

    def close(self) -> None:
        super().close()
        self.fake.close()
        self.entra.close()


class DatabricksPrincipalHarness(DatabricksHarness):
    def signed_in(self) -> dict[str, Any]:
        return {"auth_type": "dbx_sp", "client_id": CLIENT, "client_secret": SECRET}


class DatabricksEntraHarness(DatabricksHarness):
    def signed_in(self) -> dict[str, Any]:
        return {"auth_type": "azure_ad_sp", "tenant_id": TENANT, "client_id": CLIENT, "client_secret": SECRET}
