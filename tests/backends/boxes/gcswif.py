"""The same bucket, reached through workload identity federation from the server's AWS identity."""

from pathlib import Path
from typing import Any

from storages.providers.aws import ambient
from tests.backends.boxes.gcs import GCSHarness
from tests.fakes.google_clients import ARN, ROLE, SIGN_PERMISSION, TOKEN_PERMISSION

AUDIENCE = "//iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/quay-pool/providers/quay-aws"
ACCESS_KEY, SECRET, SESSION = "ASIAHARBOURSERVER001", "secret/of/the/server/0123456789abcdef", "session-token-of-the-server"


class GCSWIFHarness(GCSHarness):
    name = "gcswif"
    trouble = GCSHarness.trouble | {"bad_credentials": lambda box: box.sign_in("wrong") or {}}

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.sign_in(SECRET)
        self.fake.add_aws_identity(ACCESS_KEY, SECRET, SESSION, arn=ARN)
        self.fake.add_provider(AUDIENCE, ROLE)
        self.federated = self.fake.federated(AUDIENCE, ARN)
        self.fake.grant_iam(self.federated, self.fake.email, TOKEN_PERMISSION)
        self.fake.grant_iam(self.fake.email, self.fake.email, SIGN_PERMISSION)

    def sign_in(self, secret: str, access_key: str = ACCESS_KEY) -> None:
        """Makes this the server's AWS identity."""
        self.lend(AWS_ACCESS_KEY_ID=access_key, AWS_SECRET_ACCESS_KEY=secret, AWS_SESSION_TOKEN=SESSION)
        ambient._default_chain.cache_clear()

    def settings(self, root: str = "") -> dict[str, Any]:
        provider = {"google_project_number": "7", "google_wif_pool_id": "quay-pool", "google_wif_provider_id": "quay-aws"}
        return {"bucket": "data", "prefix": root, "google_service_account_email": self.fake.email, **provider}

    def close(self) -> None:
        super().close()
        ambient._default_chain.cache_clear()
