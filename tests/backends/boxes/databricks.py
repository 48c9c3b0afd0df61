"""A volume of the Databricks fake."""

from pathlib import Path
from typing import Any

from tests.backends.harness import HOSTILE, Harness
from tests.fakes.databricks import DatabricksFake

VOLUME = "/Volumes/main/default/data"


class DatabricksHarness(Harness):
    name = "databricks"
    hostile = [*HOSTILE, "x" * 250]

    def __init__(self, directory: Path) -> None:
        self.fake = DatabricksFake(page_cap=4)

    def put(self, name: str, body: bytes) -> None:
        self.fake.put(f"{VOLUME}/{name}", body)

    def get(self, name: str) -> bytes | None:
        return self.fake.get(f"{VOLUME}/{name}")

    def settings(self, root: str = "") -> dict[str, Any]:
        place = {"catalog": "main", "schema": "default", "volume": "data", "prefix": root}
        return {"host": self.fake.url, "auth_type": "pat", "token": self.fake.pat, **place}

    def close(self) -> None:
        super().close()
        self.fake.close()
