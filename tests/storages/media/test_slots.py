"""Slots of streams: as many as allowed, each given back once, whatever happens to its answer."""

import gc
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.test import RequestFactory

from storages.errors import NotFound, RangeNotSatisfiable, Unavailable
from storages.media import slots
from storages.media.stream import respond
from storages.media.uris import encode
from tests.storages.media.asking import ROUTES, URI, address, assert_envelope, content
from tests.storages.media.conftest import PICTURE
from tests.storages.media.memory import MemoryClient

pytestmark = pytest.mark.django_db
LIMIT = 3


@pytest.fixture(autouse=True)
def few(settings) -> None:
    settings.RESOLVER_PROXY_STREAMS = LIMIT
    assert slots.taken() == 0


@pytest.fixture
def client() -> MemoryClient:
    return MemoryClient({"a.bin": bytes(1000), "empty": b""})


def ask(client: MemoryClient, key: str = "a.bin", method: str = "GET", **headers: str):
    return respond(RequestFactory().generic(method, "/", headers=headers), client, key, 7)


def test_one_more_than_allowed_is_refused_until_one_is_closed(client):
    open_ones = [ask(client) for _ in range(LIMIT)]
    with pytest.raises(slots.Busy):
        ask(client)
    assert client.opens == LIMIT
    open_ones.pop().close()
    open_ones.append(ask(client))
    for response in open_ones:
        response.close()
    assert slots.taken() == 0


def test_what_sends_no_body_needs_a_slot_only_while_the_storage_is_asked(client, settings):
    settings.RESOLVER_PROXY_STREAMS = 1
    for _ in range(3):
        assert ask(client, method="HEAD").status_code == 200
        assert ask(client, **{"If-None-Match": "*"}).status_code == 304
        with pytest.raises(RangeNotSatisfiable):
            ask(client, Range="bytes=-0")
    settings.RESOLVER_PROXY_STREAMS = 0
    with pytest.raises(slots.Busy):
        ask(client, method="HEAD")


@pytest.mark.parametrize(
    ("key", "headers", "breaks_at", "kind"),
    [
        ("none", {}, 2**63, NotFound),
        ("a.bin", {"Range": "bytes=1000-"}, 2**63, RangeNotSatisfiable),
        ("empty", {"Range": "bytes=0-"}, 2**63, RangeNotSatisfiable),
        ("a.bin", {}, 0, Unavailable),
    ],
)
def test_a_failure_before_the_answer_gives_the_slot_back(client, key, headers, breaks_at, kind):
    client.breaks_at = breaks_at
    with pytest.raises(kind) as refused:
        ask(client, key, **headers)
    assert slots.taken() == 0, refused  # which still holds the frames of the failure, as a log might


def test_an_answer_that_is_forgotten_without_being_closed_gives_its_slot_back(client):
    response = ask(client)
    assert slots.taken() == 1
    del response
    gc.collect()
    assert slots.taken() == 0


def test_a_slot_freed_from_many_sides_counts_once():
    kept, slot = slots.take(), slots.take()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda free: free(), [slot.free] * 100))
    with pytest.raises(ValueError), slot:
        raise ValueError
    del slot
    assert slots.taken() == 1
    kept.free()


def test_a_full_server_says_so_in_the_envelope_and_when_to_come_back(api, task, source, settings):
    source(presign=False)
    settings.RESOLVER_PROXY_STREAMS = 0
    refused = api.get(address(ROUTES[0], task, encode(URI)))
    assert_envelope(refused, 503)
    assert refused["Retry-After"] == "1"
    settings.RESOLVER_PROXY_STREAMS = 1
    served = api.get(address(ROUTES[0], task, encode(URI)))
    assert content(served) == PICTURE
    served.close()
    assert slots.taken() == 0
