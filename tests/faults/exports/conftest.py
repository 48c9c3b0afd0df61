"""A web server beside the harness of each test module."""

from collections.abc import Iterator

import pytest

from tests.faults.exports import web
from tests.faults.exports.port import Port
from tests.faults.world import World


@pytest.fixture(scope="module")
def server(harbour: World) -> Iterator[web.Web]:
    started = web.beside(harbour.crew.env, harbour.directory)
    yield started
    started.close()


@pytest.fixture
def port(world: World, server: web.Web) -> Port:
    return Port(world, server)
