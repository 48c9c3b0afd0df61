"""One harness per test module; before each test its queue is empty and no trouble is ordered."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import world as worlds
from tests.faults.world import World


@pytest.fixture(scope="module")  # its workers would take the jobs of other tests
def harbour(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with worlds.opened(tmp_path_factory.mktemp("faults"), workers=2) as world:
        yield world


@pytest.fixture
def world(harbour: World, transactional_db: None) -> Iterator[World]:
    harbour.calm()
    harbour.crew.mend()
    harbour.crew.await_ready()
    yield harbour
    harbour.calm()
    for horse in harbour.crew.horses():  # of a test that failed
        harbour.crew.kill(horse)
    harbour.settle()


@pytest.fixture
def directory(harbour: World) -> Path:
    """What the harness shares with its workers."""
    return harbour.directory
