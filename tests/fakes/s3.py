"""An S3 server for tests: moto's objects behind a gate that refuses every wrong client, on a free loopback port.

Knows nothing of Quayside. Put, get and keys of the fake itself go around the gate.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import NamedTuple

import pytest

from tests.fakes.faults import Faults
from tests.fakes.s3_access import EVERYTHING, Grant, Identity
from tests.fakes.s3_cors import CorsRule
from tests.fakes.s3_gate import Gate
from tests.fakes.s3_objects import Objects
from tests.fakes.s3_paging import MAX_KEYS, Paging
from tests.fakes.sts import Assumed, StsFake
from tests.fakes.wire import Request, Response, Server


class Logged(NamedTuple):
    """One request that arrived; path and query percent-encoded, status 0 if the connection was dropped."""

    method: str
    path: str
    query: str
    status: int


class S3Fake(Faults):
    """A running store with one all-powerful key pair; stop it with ``close`` or use it as a context manager.

    Trouble is ordered with fail_next, delay, cut_body_after and refuse_all (see Faults).
    ``page_cap``: most keys of a listing page. ``clock``: aware UTC now, checked against signatures.
    """

    access_key = "AKIAQUAYSIDETESTER01"
    secret_key = "harbour/secret+key/of/the/tests/0123456789ab"

    def __init__(
        self, *, region: str = "us-east-1", page_cap: int = MAX_KEYS, clock: Callable[[], datetime] | None = None
    ) -> None:
        super().__init__()
        self.region = region
        self.clock = clock or (lambda: datetime.now(UTC))
        self.ahead = timedelta(0)
        self.requests: list[Logged] = []
        self._objects = Objects()
        self._gate = Gate(self._objects, Paging(page_cap), region, self.now)
        self.add_identity(self.access_key, self.secret_key)
        self._server = Server(self._answer)
        self.url = self._server.url

    def _answer(self, request: Request) -> Response:
        response = self.around(request, self._gate.answer, lambda failure: self._gate.failed(request, failure))
        self.requests.append(Logged(request.method, request.path, request.query, response.status))
        return response

    def create_bucket(self, name: str, region: str | None = None) -> None:
        """A bucket in ``region`` (default: the fake's own; another one makes clients meet redirects)."""
        self._objects.create_bucket(name, region or self.region)

    def put(self, bucket: str, key: str, body: bytes, content_type: str = "binary/octet-stream", encoding: str = "") -> None:
        """``encoding``: the Content-Encoding that was given when the object was written."""
        self._objects.put(bucket, key, body, content_type, encoding)

    def get(self, bucket: str, key: str) -> bytes | None:
        """The body, None if there is no such object."""
        return self._objects.get(bucket, key)

    def delete(self, bucket: str, key: str) -> None:
        self._objects.delete(bucket, key)

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """All keys under ``prefix`` in S3's order."""
        return self._objects.keys(bucket, prefix)

    def headers_of_last_put(self, bucket: str, key: str) -> dict[str, str]:
        """The headers (lower case) that came with the newest accepted PUT of the object; KeyError if none came."""
        return self._gate.puts[bucket, key]

    def add_identity(
        self,
        access_key: str,
        secret_key: str,
        session_token: str | None = None,
        allow: Sequence[Grant | tuple[str, ...]] = EVERYTHING,
        expires: datetime | None = None,
    ) -> None:
        """Another key pair; ``allow`` lists (action, bucket, prefix), bucket and prefix optional; [] allows nothing."""
        grants = [Grant(*grant) for grant in allow]
        self._gate.identities[access_key] = Identity(access_key, secret_key, session_token, grants, expires)

    def forbid(self, *actions: str, bucket: str = "data") -> None:
        """The bucket's policy denies everybody just these actions ("s3:PutObject"); none: none."""
        self._gate.protection.denied = {(action, bucket) for action in actions}

    def lock_objects(self, bucket: str) -> None:
        """Gives the bucket an Object Lock with a default retention: it takes nothing without a checksum."""
        self._gate.protection.locked.add(bucket)

    def set_key(self, key: str, code: str = "") -> None:
        """Writes that ask for the KMS key are refused with ``code`` (see KMS_REFUSALS); "" makes it a good one."""
        self._gate.protection.keys[key] = code

    def hide_bucket(self, name: str, hidden: bool = True) -> None:
        """The bucket does not exist any more; brought back with all it held."""
        self._objects.hide_bucket(name, hidden)

    def set_cors(
        self, bucket: str, origins: Sequence[str], methods: Sequence[str] = ("GET", "HEAD"), headers: Sequence[str] = ()
    ) -> None:
        """Lets pages of ``origins`` ("*" stands for any text) use ``methods`` and send ``headers``; no origins: no CORS."""
        self._gate.cors.rules.pop(bucket, None)
        if origins:
            self._gate.cors.rules[bucket] = CorsRule(origins, methods, headers)

    @cached_property
    def sts(self) -> StsFake:
        """The STS beside the store, started when first needed; trouble is ordered there as here."""
        return StsFake(self._gate.identities, self.region, self.now)

    @property
    def sts_url(self) -> str:
        return self.sts.url

    @property
    def assumed(self) -> list[Assumed]:
        """The AssumeRole calls that were granted, oldest first."""
        return self.sts.assumed

    def add_role(
        self,
        arn: str,
        trusted: Sequence[str],
        external_id: str | None = None,
        allow: Sequence[Grant | tuple[str, ...]] = EVERYTHING,
        max_seconds: int = 3600,
    ) -> None:
        """A role for the principals ``trusted`` (access keys, or ARNs of other roles); ``allow`` as in add_identity."""
        self.sts.add_role(arn, trusted, external_id, [Grant(*grant) for grant in allow], max_seconds)

    def now(self) -> datetime:
        """The time by the fake's clock."""
        return self.clock() + self.ahead

    def advance(self, seconds: float) -> None:
        """Moves the fake's clock, so that signatures age without waiting."""
        self.ahead += timedelta(seconds=seconds)

    def close(self) -> None:
        self._server.close()
        if "sts" in vars(self):
            self.sts.close()


@pytest.fixture
def s3() -> Iterator[S3Fake]:
    """A store with an empty bucket "data"."""
    with S3Fake() as fake:
        fake.create_bucket("data")
        yield fake
