"""A service, a Chromium, and a signed-in page that must not log an error nor ask another host."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, StorageState

from tests.e2e.pages.looking import Visitor, visiting
from tests.e2e.server import RunningServer, running


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running(tmp_path_factory.mktemp("pages"), "sqlite") as service:
        yield service


@pytest.fixture(scope="session")
def signed_in(service: RunningServer, browser: Browser) -> StorageState:
    """The cookies of the first user, who signs in once: hashing a password takes its time on purpose."""
    with visiting(service, browser) as visitor:
        return visitor.page.context.storage_state()


@pytest.fixture
def visitor(service: RunningServer, browser: Browser, signed_in: StorageState) -> Iterator[Visitor]:
    """Signed in as the first user, 1360 × 900, light."""
    with visiting(service, browser, signed_in=False, storage_state=signed_in) as visitor:
        yield visitor


@pytest.fixture
def stranger(service: RunningServer, browser: Browser) -> Iterator[Visitor]:
    """Not signed in."""
    with visiting(service, browser, signed_in=False) as visitor:
        yield visitor
