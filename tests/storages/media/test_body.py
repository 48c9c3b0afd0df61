"""The bytes of an answer while the upstream misbehaves on the wire: all of them, or a broken connection, never a short body."""

import time
from collections.abc import Iterator

import pytest
from django.test import RequestFactory

from storages.errors import AccessDenied, NotFound, StorageError, TimedOut, Unavailable
from storages.media import body, slots
from storages.media.stream import respond
from tests.storages.media.upstream import KEY, Fault, Upstream, WireClient, upstream

pytestmark = pytest.mark.django_db  # a closed answer tells Django to look after its connections
BUFFER = 8192
DATA = bytes(range(256)) * 256  # 8 buffers
HALF = len(DATA) // 2


@pytest.fixture(autouse=True)
def limits(settings) -> None:
    settings.RESOLVER_PROXY_BUFFER_SIZE, settings.RESOLVER_PROXY_TIMEOUT = BUFFER, 1


@pytest.fixture
def store() -> Iterator[Upstream]:
    with upstream(DATA) as started:
        yield started
        until = time.monotonic() + 5
        while started.open and time.monotonic() < until:
            time.sleep(0.01)
        assert not started.open, "an upstream connection was left open"
        assert slots.taken() == 0


def ask(store: Upstream, **headers: str):
    return respond(RequestFactory().get("/", headers=headers), WireClient(store.url), KEY, 7)


def receive(response) -> tuple[bytes, StorageError | None]:
    """What came, and what broke it off; closed as a server does."""
    received = b""
    try:
        for chunk in response:
            received += chunk
    except StorageError as error:
        return received, error
    finally:
        response.close()
    return received, None


@pytest.mark.parametrize("after", [1, BUFFER, BUFFER + 1, HALF, len(DATA) - 1])
@pytest.mark.parametrize("kind", ["reset", "truncate"])
def test_an_upstream_that_breaks_off_is_opened_again_where_it_broke(store, kind, after):
    store.faults = [Fault(kind, after)]
    assert receive(ask(store)) == (DATA, None)
    begin = int(store.asked[1].removeprefix("bytes=").split("-")[0] or 0)
    assert begin <= after
    assert after < begin + BUFFER or kind == "reset"  # a reset may take along what was not read yet


def test_a_range_is_opened_again_up_to_its_own_end(store):
    store.faults = [Fault("truncate", BUFFER)]
    assert receive(ask(store, Range=f"bytes=100-{HALF}")) == (DATA[100 : HALF + 1], None)
    assert store.asked == [f"bytes=100-{HALF}", f"bytes={100 + BUFFER}-{HALF}"]


def test_an_upstream_that_stands_still_is_opened_again_after_the_timeout(store):
    store.faults = [Fault("stall", HALF)]
    began = time.monotonic()
    assert receive(ask(store)) == (DATA, None)
    assert 1 <= time.monotonic() - began < 3


def test_an_upstream_that_breaks_off_time_and_again_but_gets_on_in_between_is_read_to_the_end(store):
    store.faults = [Fault("truncate", BUFFER) for _ in range(7)]
    assert receive(ask(store)) == (DATA, None)
    assert len(store.asked) == 8


def test_an_upstream_that_gets_nowhere_is_given_up_and_the_answer_broken_off(store):
    store.faults = [Fault("truncate", HALF)] + [Fault("truncate", 0) for _ in range(9)]
    received, error = receive(ask(store))
    assert (received, type(error)) == (DATA[:HALF], Unavailable)
    assert len(store.asked) == 1 + body.REOPENINGS


@pytest.mark.parametrize(
    ("fault", "kind"), [(Fault("status", status=403), AccessDenied), (Fault("status", status=404), NotFound)]
)
def test_a_refusal_in_between_breaks_the_answer_off_at_once(store, fault, kind):
    store.faults = [Fault("truncate", HALF), fault]
    received, error = receive(ask(store))
    assert (received, type(error)) == (DATA[:HALF], kind)
    assert len(store.asked) == 2


def test_a_storage_that_fails_for_a_moment_in_between_is_asked_again(store):
    store.faults = [Fault("truncate", HALF), Fault("status", status=500)]
    assert receive(ask(store)) == (DATA, None)


def test_an_object_that_was_replaced_in_between_is_not_mixed_with_the_old_one(store):
    store.faults = [Fault("truncate", HALF), Fault("", etag="v2")]
    received, error = receive(ask(store))
    assert received == DATA[:HALF]
    assert "replaced" in str(error)
    assert len(store.asked) == 2


def test_an_object_that_became_longer_in_between_is_not_mixed_with_the_old_one(store):
    store.faults = [Fault("truncate", HALF)]
    response = ask(store)
    store.data = DATA + b"more"
    received, error = receive(response)
    assert received == DATA[:HALF]
    assert "replaced" in str(error)


def test_an_upstream_that_never_gives_a_first_buffer_is_a_timeout_as_long_as_that_can_be_told(store):
    store.faults = [Fault("stall") for _ in range(1 + body.REOPENINGS)]
    with pytest.raises(TimedOut, match=KEY):
        ask(store)


def test_a_reader_slower_than_the_timeout_gets_every_byte(store):
    response, received = ask(store), b""
    for chunk in response:
        received += chunk
        time.sleep(0.2)
    response.close()
    assert received == DATA


def test_what_was_closed_before_its_end_closes_the_upstream_and_frees_the_slot_once(store):
    response = ask(store)
    next(iter(response))
    assert slots.taken() == 1
    response.close()
    response.close()
    assert slots.taken() == 0


class Pooled:
    """Stands for a connection out of a pool; counts how often it was given back."""

    def __init__(self, options: dict, *, atomic: bool = False) -> None:
        self.settings_dict, self.in_atomic_block, self.closed = {"OPTIONS": options}, atomic, 0

    def close(self) -> None:
        self.closed += 1


def test_a_database_connection_goes_back_to_the_pool_before_the_storage_is_asked_but_never_out_of_a_transaction(
    store, monkeypatch
):
    pooled, own, busy = Pooled({"pool": {"max_size": 1}}), Pooled({}), Pooled({"pool": {"max_size": 1}}, atomic=True)
    monkeypatch.setattr(body.connections, "all", lambda initialized_only: [pooled, own, busy])
    response = ask(store)
    assert pooled.closed == 1
    list(response)
    assert (pooled.closed, own.closed, busy.closed) == (1, 0, 0)
    monkeypatch.undo()
    response.close()
