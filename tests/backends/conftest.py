"""The container that the behaviour suite runs on, once for each backend."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from storages.backends import BACKENDS
from storages.providers import localfiles as localfiles_client
from tests.backends.boxes import HARNESSES
from tests.backends.harness import Harness
from tests.fakes.s3 import s3 as s3  # noqa: F401 - the fixture


@pytest.fixture(params=list(BACKENDS))
def box(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    """An empty container of the backend; a backend without a harness fails here."""
    monkeypatch.setattr(localfiles_client, "PAGE_SIZE", localfiles_client.PAGE_SIZE)
    directory = Path(os.environ["LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"]) / f"box-{uuid.uuid4().hex[:8]}"
    harness = HARNESSES[request.param](directory)
    harness.small_pages()
    yield harness
    harness.close()


@pytest.fixture
def documents() -> Path:
    """A new directory below the document root."""
    directory = Path(os.environ["LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"]) / f"docs-{uuid.uuid4().hex[:8]}"
    directory.mkdir()
    return directory
