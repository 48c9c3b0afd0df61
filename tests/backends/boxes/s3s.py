"""The same bucket, reached through a role of the STS fake."""

from pathlib import Path
from typing import Any

from tests.backends.boxes.s3 import S3Harness

ROLE, EXTERNAL_ID = "arn:aws:iam::123456789012:role/labels", "quay:7"


class S3SHarness(S3Harness):
    name = "s3s"
    trouble = S3Harness.trouble | {"no_permission": lambda box: {"external_id": "quay:8"}}

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.fake.add_identity("AKIAONLYTHESOURCE001", "source/secret/of/the/tests/0123456789ab", allow=[])
        self.fake.add_role(ROLE, ["AKIAONLYTHESOURCE001"], EXTERNAL_ID)
        self.configure(AWS_ENDPOINT_URL_STS=self.fake.sts_url)

    def settings(self, root: str = "") -> dict[str, Any]:
        keys = {"aws_access_key_id": "AKIAONLYTHESOURCE001", "aws_secret_access_key": "source/secret/of/the/tests/0123456789ab"}
        return super().settings(root) | keys | {"role_arn": ROLE, "external_id": EXTERNAL_ID}
