"""A bucket of the Google fake."""

from pathlib import Path
from typing import Any

from storages.providers.google import signing as gcs_signing
from tests.backends.harness import HOSTILE, Harness
from tests.fakes.google import GoogleFake


class GCSHarness(Harness):
    name = "gcs"
    trouble = {
        "bad_credentials": lambda box: {"google_application_credentials": box.key_of_nobody()},
        "no_permission": lambda box: box.fake.revoke(box.fake.email, "data", "storage.objects.list") or {},
        "not_found": lambda box: {"bucket": "no-such-bucket"},
        "unreachable": lambda box: box.fake.refuse_all() or {},
        "throttled": lambda box: box.fake.fail_next(9, 429, "rateLimitExceeded", match="/b/") or {},
        "misconfigured": lambda box: {"bucket": "no/bucket"},
    }
    hostile = [*HOSTILE, "double//slash.txt", "/leading.txt", "percent%2Fslash.txt", "x" * 1000 + ".txt"]

    def __init__(self, directory: Path) -> None:
        gcs_signing._kept.clear()
        self.fake = GoogleFake(page_cap=4)
        self.fake.create_bucket("data")
        self.configure(
            GCS_API_ENDPOINT=self.fake.api_url,
            GOOGLE_OAUTH_TOKEN_URL=self.fake.token_url,
            GOOGLE_STS_URL=self.fake.sts_url,
            GOOGLE_IAMCREDENTIALS_URL=self.fake.iam_url,
        )

    def key_of_nobody(self) -> str:
        return self.fake.service_account_json().replace(self.fake.email, "nobody@harbour-tests.iam.gserviceaccount.com")

    def put(self, name: str, body: bytes) -> None:
        self.fake.put("data", name, body)

    def get(self, name: str) -> bytes | None:
        return self.fake.get("data", name)

    def settings(self, root: str = "") -> dict[str, Any]:
        return {"bucket": "data", "prefix": root, "google_application_credentials": self.fake.service_account_json()}

    def close(self) -> None:
        super().close()
        self.fake.close()
