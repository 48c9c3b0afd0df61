"""A bucket of the S3 fake."""

from pathlib import Path
from typing import Any

from storages.client import Client
from tests.backends.harness import HOSTILE, Harness
from tests.fakes.s3 import S3Fake


class S3Harness(Harness):
    name = "s3"
    trouble = {
        "bad_credentials": lambda box: {"aws_secret_access_key": "wrong"},
        "no_permission": lambda box: box.stranger(),
        "not_found": lambda box: {"bucket": "no-such-bucket"},
        "unreachable": lambda box: box.fake.refuse_all() or {},
        "throttled": lambda box: box.fake.fail_next(9) or {},
        "misconfigured": lambda box: {"region_name": "not a region"},
    }
    hostile = [*HOSTILE, "double//slash.txt", "/leading.txt", "x" * 1000 + ".txt"]

    def __init__(self, directory: Path) -> None:
        self.fake = S3Fake(page_cap=4)
        self.fake.create_bucket("data")

    @staticmethod
    def client_of(fake: S3Fake, **settings: Any) -> Client:
        """A client of the fake's bucket "data"."""
        from storages.backends.s3 import S3ImportStorage

        keys = {"aws_access_key_id": fake.access_key, "aws_secret_access_key": fake.secret_key, "s3_endpoint": fake.url}
        return S3ImportStorage(**{"bucket": "data", "project_id": 1} | keys | settings).client()

    def stranger(self) -> dict[str, Any]:
        """Keys that may do nothing."""
        self.fake.add_identity("AKIAMAYDONOTHING0001", "nothing/at/all/0123456789abcdef0123456789", allow=[])
        return {"aws_access_key_id": "AKIAMAYDONOTHING0001", "aws_secret_access_key": "nothing/at/all/0123456789abcdef0123456789"}

    def put(self, name: str, body: bytes) -> None:
        self.fake.put("data", name, body)

    def get(self, name: str) -> bytes | None:
        return self.fake.get("data", name)

    def settings(self, root: str = "") -> dict[str, Any]:
        keys = {"aws_access_key_id": self.fake.access_key, "aws_secret_access_key": self.fake.secret_key}
        return {"bucket": "data", "prefix": root, "s3_endpoint": self.fake.url, **keys}

    def close(self) -> None:
        super().close()
        self.fake.close()
