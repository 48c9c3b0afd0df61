"""The service once per database, a bucket to connect it to, and one browser: Playwright takes no second one in a process."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.e2e.pages.looking import chromium
from tests.e2e.server import RunningServer, running
from tests.fakes.s3 import S3Fake
from tests.fakes.s3 import s3 as s3  # noqa: F401 - the fixture


@pytest.fixture(params=["sqlite", "postgres"], scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    directory = tmp_path_factory.mktemp("service")
    directory.chmod(0o755)
    directory.parent.chmod(0o755)  # PostgreSQL runs as a user of its own
    with running(directory, request.param) as service:
        yield service


@pytest.fixture
def bucket(s3: S3Fake) -> S3Fake:
    """Bucket "data" with five pictures and a task file, bucket "target" for annotations."""
    for number in range(5):
        s3.put("data", f"ships/{number}.png", bytes([number]) * 1000, "image/png")
    s3.put("data", "tasks/two.jsonl", b'{"image": "s3://data/ships/1.png"}\n{"data": {"image": "s3://data/ships/2.png"}}\n')
    s3.create_bucket("target")
    return s3


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser
