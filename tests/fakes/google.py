"""A Google cloud for tests: Cloud Storage, OAuth, STS and IAM Credentials, one loopback port each; refuses wrong clients.

Knows nothing of Quayside. Put, get, delete and keys of the fake itself go around every check.
"""

import json
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from tests.fakes.claims import Refusal
from tests.fakes.faults import Faults
from tests.fakes.google_access import OBJECT_PERMISSIONS, Access
from tests.fakes.google_accounts import Accounts, key_file
from tests.fakes.google_federation import AwsIdentity, Federation, subject_of
from tests.fakes.google_iam import IamCredentials
from tests.fakes.google_json import JsonApi
from tests.fakes.google_listing import MAX_RESULTS, Lister
from tests.fakes.google_objects import Bucket, Store
from tests.fakes.google_service import JSON_ROOTS, Logged, serve
from tests.fakes.google_tokens import CLOUD, Tokens
from tests.fakes.google_uploads import Uploads
from tests.fakes.google_xml import XmlApi
from tests.fakes.wire import Request, Response


class GoogleFake(Faults):
    """Running services with one service account that may do all on every bucket; a context manager, or ``close`` it.

    Trouble is ordered with fail_next (``code``: Google's reason), delay, cut_body_after and refuse_all (see Faults).
    ``page_cap``: most entries of a listing page. ``clock``: aware UTC now. ``tls``: serve https instead of http.
    ``api_url`` and ``iam_url`` are origins, ``token_url`` and ``sts_url`` the whole address to post to.
    """

    email = "quayside@harbour-tests.iam.gserviceaccount.com"

    def __init__(
        self, *, page_cap: int = MAX_RESULTS, clock: Callable[[], datetime] | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__()
        self.clock, self.ahead = clock or (lambda: datetime.now(UTC)), timedelta(0)
        self.requests: list[Logged] = []
        self.tokens = Tokens(self.now)
        self._accounts = Accounts(self.tokens)
        self._federation = Federation(self.tokens)
        self._iam = IamCredentials(self.tokens, self._accounts.emails)
        self._store, self._access = Store(self.now), Access(self.tokens)
        self._hidden: dict[str, Bucket] = {}
        uploads = Uploads(self._store, "https" if tls else "http")
        self._json = JsonApi(self._store, self._access, Lister(self._store, page_cap), uploads)
        self._xml = XmlApi(self._store, self._access, self._accounts.emails, self.now)
        self.add_service_account(self.email)
        services = {
            "storage": self._storage,
            "oauth": self._accounts.answer,
            "sts": self._federation.answer,
            "iam": self._iam.answer,
        }
        self._servers = {name: serve(name, answer, self, self.requests, tls) for name, answer in services.items()}
        self.api_url, self.iam_url = self._servers["storage"].url, self._servers["iam"].url
        self.token_url, self.sts_url = f"{self._servers['oauth'].url}/token", f"{self._servers['sts'].url}/v1/token"

    def _storage(self, request: Request) -> Response:
        if request.header("transfer-encoding"):
            raise Refusal(411, "required", "This store takes no bodies of unknown length.")
        return (self._json if request.path.startswith(JSON_ROOTS) else self._xml).answer(request)

    @property
    def page_cap(self) -> int:
        return self._json.lister.cap

    @page_cap.setter
    def page_cap(self, cap: int) -> None:
        self._json.lister.cap = cap

    def create_bucket(self, name: str) -> None:
        """An empty bucket on which the fake's own account may list, get, create and delete objects."""
        self._store.buckets[name] = Bucket()
        self.grant(self.email, name, *OBJECT_PERMISSIONS)

    def set_cors(self, bucket: str, origins: Sequence[str] | None) -> None:
        """The origins that browsers may come from ("*": all); None removes the rule."""
        self._store.bucket(bucket).origins = None if origins is None else list(origins)

    def retain(self, bucket: str, retained: bool = True) -> None:
        """Whether the bucket has a retention policy whose time is not over."""
        self._store.bucket(bucket).retained = retained

    def hide_bucket(self, name: str, hidden: bool = True) -> None:
        """The bucket does not exist any more; brought back with all it held."""
        source, target = (self._store.buckets, self._hidden) if hidden else (self._hidden, self._store.buckets)
        target[name] = source.pop(name)

    def put(
        self, bucket: str, name: str, body: bytes, content_type: str = "application/octet-stream", encoding: str = ""
    ) -> None:
        """``encoding``: "gzip" if the body is compressed and said to be."""
        self._store.put(bucket, name, body, content_type, encoding)

    def get(self, bucket: str, name: str) -> bytes | None:
        """The body, None if there is no such object."""
        stored = self._store.bucket(bucket).objects.get(name)
        return None if stored is None else stored.body

    def delete(self, bucket: str, name: str) -> None:
        with self._store.lock:
            self._store.bucket(bucket).objects.pop(name, None)

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """All names under ``prefix`` in the order of listings."""
        return [stored.name for stored in self._store.sorted(bucket) if stored.name.startswith(prefix)]

    def add_service_account(self, email: str) -> None:
        """Another account, without any permission."""
        self._accounts.emails.add(email)

    def service_account_json(self, email: str | None = None) -> str:
        """The key file that a user pastes, of a service account that comes into being if need be."""
        self.add_service_account(email or self.email)
        return json.dumps(key_file(email or self.email))

    def grant(self, principal: str, bucket: str, *permissions: str) -> None:
        self._access.grants.setdefault((principal, bucket), set()).update(permissions)

    def revoke(self, principal: str, bucket: str, *permissions: str) -> None:
        self._access.grants.setdefault((principal, bucket), set()).difference_update(permissions)

    def grant_iam(self, caller: str, email: str, *permissions: str) -> None:
        """Lets ``caller`` use "iam.serviceAccounts.getAccessToken" or "….signBlob" on the account ``email``."""
        self._iam.grants.setdefault((caller, email), set()).update(permissions)

    def revoke_iam(self, caller: str, email: str, *permissions: str) -> None:
        self._iam.grants.setdefault((caller, email), set()).difference_update(permissions)

    def add_provider(self, audience: str, role: str | None = None) -> None:
        """A workload identity provider; ``role``: "arn:aws:sts::<account>:assumed-role/<name>" that alone may use it."""
        self._federation.providers[audience] = role

    def add_aws_identity(
        self, access_key: str, secret: str, token: str | None = None, *, arn: str, expires: datetime | None = None
    ) -> None:
        """A key pair known to AWS, whose GetCallerIdentity gives ``arn``."""
        self._federation.identities[access_key] = AwsIdentity(secret, arn, token, expires)

    def federated(self, audience: str, arn: str) -> str:
        """The principal to name in ``grant`` and ``grant_iam`` for an AWS identity seen through a provider."""
        return subject_of(audience, arn)

    def mint(self, principal: str | None = None, scopes: Iterable[str] = (CLOUD,), seconds: float = 3600) -> str:
        """An access token that came from nowhere, as Application Default Credentials do."""
        return self.tokens.mint(principal or self.email, scopes, seconds)

    def expire_tokens(self) -> None:
        """Ends every access token minted so far, as a revocation does."""
        self.tokens.minted.clear()

    def now(self) -> datetime:
        return self.clock() + self.ahead

    def advance(self, seconds: float) -> None:
        """Moves the fake's clock, so that tokens, assertions and signatures age without waiting."""
        self.ahead += timedelta(seconds=seconds)

    def close(self) -> None:
        for server in self._servers.values():
            server.close()


@pytest.fixture(name="google")
def google_fixture() -> Iterator[GoogleFake]:
    """A cloud with an empty bucket "data"."""
    with GoogleFake() as fake:
        fake.create_bucket("data")
        yield fake
