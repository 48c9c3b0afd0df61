"""An Azure Blob account for tests: Azurite behind a door that refuses every wrong client, on a free loopback port.

Knows nothing of Quayside. Put, get, delete and names go around the door.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobServiceClient, ContentSettings, CorsRule

from tests.environment import tls_directory
from tests.fakes.azure_delegation import Delegation
from tests.fakes.azure_gate import MAX_RESULTS, VERBS, Gate, failed
from tests.fakes.azure_process import azurite
from tests.fakes.faults import Faults
from tests.fakes.tls import server_context
from tests.fakes.wire import Request, Response, Server


class Logged(NamedTuple):
    """One request that arrived; path and query percent-encoded, status 0 if the connection was dropped."""

    method: str
    path: str
    query: str
    status: int


class AzureFake(Faults):
    """A running account; stop it with ``close`` or use it as a context manager, which also deletes its containers.

    ``verify``: tells a good bearer token; with one, the account speaks TLS (as tokens need) and also takes its key.
    ``page_cap``: most blobs of a listing page. ``clock``: aware UTC now, checked against signatures.
    Trouble is ordered with fail_next, delay, cut_body_after and refuse_all (see Faults).
    """

    object_id = "5f0c2d3e-7b1a-4c55-9a60-0d1e2f3a4b5c"

    def __init__(
        self,
        *,
        verify: Callable[[str], bool] | None = None,
        page_cap: int = MAX_RESULTS,
        clock: Callable[[], datetime] | None = None,
        tenant: str = "11111111-2222-3333-4444-555555555555",
    ) -> None:
        super().__init__()
        self._azurite = azurite()
        self.account, self.key = self._azurite.account, self._azurite.key
        self.clock = clock or (lambda: datetime.now(UTC))
        self.ahead = timedelta(0)
        self.requests: list[Logged] = []
        self._containers: list[str] = []
        self._has_cors = False
        self._gate = Gate(self._azurite, Delegation(self.account, self.object_id, tenant), verify, self.now, page_cap)
        credential = {"account_name": self.account, "account_key": self.key}
        self._inside = BlobServiceClient(self._azurite.url, credential=credential, retry_total=0)
        self._server = Server(self._answer, server_context(tls_directory()) if verify else None)
        self.url = f"{self._server.url}/{self.account}"

    def _answer(self, request: Request) -> Response:
        response = self.around(request, self._gate.answer, lambda failure: failed(request, failure))
        self.requests.append(Logged(request.method, request.path, request.query, response.status))
        return response

    def fail_next(
        self, n: int = 1, status: int = 503, code: str = "ServerBusy", match: str = "", headers: dict[str, str] | None = None
    ) -> None:
        """As in Faults, in Azure's words."""
        super().fail_next(n, status, code, match, headers)

    def deny(self, *verbs: str) -> None:
        """No role of the token's principal grants ``verbs`` any more (list, read, write, delete, delegate); none: all do."""
        if unknown := set(verbs) - set(VERBS):
            raise ValueError(f"unknown verbs {sorted(unknown)}: there are {VERBS}")
        self._gate.denied = set(verbs)

    def allow_key(self, allow: bool) -> None:
        """Whether the account takes its key, and SAS made with it ("Allow storage account key access")."""
        self._gate.key_allowed = allow

    def protect(self, container: str, protected: bool = True) -> None:
        """Whether an immutability policy keeps what is in the container."""
        (self._gate.immutable.add if protected else self._gate.immutable.discard)(container)

    def hide_container(self, name: str, hidden: bool = True) -> None:
        """The container does not exist any more; brought back with all it held."""
        (self._gate.gone.add if hidden else self._gate.gone.discard)(name)

    def forget_markers(self) -> None:
        """No marker that was given is known any more."""
        self._gate.markers.clear()

    def create_container(self, name: str | None = None) -> str:
        """An empty container; its name is a new one unless given."""
        name = name or f"test-{secrets.token_hex(8)}"
        self._inside.create_container(name)
        self._containers.append(name)
        return name

    def put(
        self, container: str, name: str, body: bytes, content_type: str = "application/octet-stream", encoding: str = ""
    ) -> None:
        """``encoding``: the Content-Encoding that the blob is stored with."""
        blob = self._inside.get_blob_client(container, name)
        blob.upload_blob(
            body, overwrite=True, content_settings=ContentSettings(content_type=content_type, content_encoding=encoding or None)
        )

    def get(self, container: str, name: str) -> bytes | None:
        """The body, None if there is no such blob."""
        try:
            return self._inside.get_blob_client(container, name).download_blob().readall()
        except ResourceNotFoundError:
            return None

    def delete(self, container: str, name: str) -> None:
        self._inside.get_blob_client(container, name).delete_blob()

    def names(self, container: str, prefix: str = "") -> list[str]:
        """All names under ``prefix`` in Azure's order."""
        return list(self._inside.get_container_client(container).list_blob_names(name_starts_with=prefix))

    def set_cors(self, origins: Sequence[str], methods: Sequence[str] = ("GET", "HEAD")) -> None:
        """Lets pages of ``origins`` use ``methods`` with any header on the account, until it is closed; no origins: no CORS."""
        rules = [CorsRule(list(origins), list(methods), allowed_headers=["*"], max_age_in_seconds=3000)] if origins else []
        self._inside.set_service_properties(cors=rules)
        self._has_cors = bool(origins)

    def now(self) -> datetime:
        """The time by the fake's clock."""
        return self.clock() + self.ahead

    def advance(self, seconds: float) -> None:
        """Moves the fake's clock, so that signatures age without waiting."""
        self.ahead += timedelta(seconds=seconds)

    def close(self) -> None:
        self._server.close()
        if self._has_cors:
            self.set_cors([])
        for name in self._containers:
            self._inside.delete_container(name)
        self._inside.close()


@pytest.fixture
def azure() -> Iterator[AzureFake]:
    """An account that takes its key only."""
    with AzureFake() as fake:
        yield fake
