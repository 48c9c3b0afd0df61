"""Buckets of the Google fake as fixtures, and what its tests ask of them again and again."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from storages.doctor import examine
from storages.errors import StorageError
from tests.backends.boxes.gcs import GCSHarness
from tests.backends.boxes.gcs_sa import GCSSAHarness
from tests.backends.boxes.gcswif import GCSWIFHarness
from tests.fakes.google_service import Logged

OTHER = "other@harbour-tests.iam.gserviceaccount.com"


def _opened(box: GCSHarness) -> Iterator[GCSHarness]:
    box.put("a.png", b"0123456789")
    yield box
    box.close()


@pytest.fixture
def gcs(tmp_path: Path) -> Iterator[GCSHarness]:
    """A bucket with the object a.png of ten bytes, reached with a key."""
    yield from _opened(GCSHarness(tmp_path))


@pytest.fixture
def impersonated(tmp_path: Path) -> Iterator[GCSHarness]:
    """The same through an account that the server may become."""
    yield from _opened(GCSSAHarness(tmp_path))


@pytest.fixture
def federated(tmp_path: Path) -> Iterator[GCSHarness]:
    """The same from the server's AWS identity."""
    yield from _opened(GCSWIFHarness(tmp_path))


def failure(box: GCSHarness, *verbs: str, **settings: object) -> StorageError | None:
    """What the doctor finds when it tries ``verbs`` (default: list)."""
    return examine(lambda: box.client(**settings), set(verbs) or {"list"}).error


def key_with(box: GCSHarness, **changes: object) -> str:
    """The key file of the fake's account with some changes."""
    return json.dumps(json.loads(box.fake.service_account_json()) | changes)


def asked(box: GCSHarness, service: str, path: str = "") -> list[Logged]:
    """The requests that one service of the fake got."""
    return [logged for logged in box.fake.requests if logged.service == service and path in logged.path]
