"""The same bucket, reached through an account that the server's own Google identity may become."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.backends.boxes.gcs import GCSHarness
from tests.fakes.google_clients import SIGN_PERMISSION, TOKEN_PERMISSION

RUNNER = "runner@harbour-tests.iam.gserviceaccount.com"


class GCSSAHarness(GCSHarness):
    name = "gcs_sa"
    trouble = GCSHarness.trouble | {"bad_credentials": lambda box: box.sign_in(json.loads(box.key_of_nobody())) or {}}

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.folder = TemporaryDirectory()
        self.sign_in(json.loads(self.fake.service_account_json(RUNNER)))
        self.fake.grant_iam(RUNNER, self.fake.email, TOKEN_PERMISSION)
        self.fake.grant_iam(self.fake.email, self.fake.email, SIGN_PERMISSION)

    def sign_in(self, document: dict[str, Any]) -> None:
        """Makes ``document`` the server's Application Default Credentials."""
        file = Path(self.folder.name) / f"{len(list(Path(self.folder.name).iterdir()))}.json"
        ours = {"token_uri": self.fake.token_url} if "token_uri" in document else {}
        file.write_text(json.dumps(document | ours))
        self.lend(GOOGLE_APPLICATION_CREDENTIALS=str(file))

    def settings(self, root: str = "") -> dict[str, Any]:
        return {"bucket": "data", "prefix": root, "target_service_account_email": self.fake.email}

    def close(self) -> None:
        self.folder.cleanup()
        super().close()
