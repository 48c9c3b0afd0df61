"""What a browser gets for one object: status, headers, bytes, and how often the storage is asked."""

import pytest
from django.test import RequestFactory

from storages.errors import NotFound, RangeNotSatisfiable, StorageError, Unavailable
from storages.media.stream import PreconditionFailed, etag, respond
from tests.storages.media.memory import MemoryClient

pytestmark = pytest.mark.django_db  # a closed answer tells Django to look after its connections
DATA = bytes(range(256)) * 4
SIZE, CAP, BUFFER = len(DATA), 100, 64
LAST_MODIFIED = "Mon, 04 May 2026 12:30:15 GMT"


@pytest.fixture(autouse=True)
def small_limits(settings):
    settings.RESOLVER_PROXY_MAX_RANGE_SIZE, settings.RESOLVER_PROXY_BUFFER_SIZE = CAP, BUFFER


@pytest.fixture
def client() -> MemoryClient:
    return MemoryClient({"ds/photo.jpg": DATA, "ds/empty.txt": b""})


def ask(client: MemoryClient, headers: dict[str, str] | None = None, method: str = "GET", key: str = "ds/photo.jpg"):
    return respond(RequestFactory().generic(method, "/", headers=headers or {}), client, key, 7)


def tag(client: MemoryClient, key: str = "ds/photo.jpg") -> str:
    return f'"{etag(client._info(key), 7)}"'


def body(response) -> bytes:
    return b"".join(response) if response.streaming else response.content


RANGES = [
    # Range, first byte, last byte, stats needed
    ("bytes=0-0", 0, 0, 0),
    ("bytes=5-9", 5, 9, 0),
    ("bytes=0-", 0, CAP - 1, 0),
    ("bytes=10-", 10, 10 + CAP - 1, 0),
    (f"bytes={SIZE - 5}-", SIZE - 5, SIZE - 1, 0),
    (f"bytes={SIZE - 5}-{SIZE * 9}", SIZE - 5, SIZE - 1, 0),
    ("bytes=0-999", 0, CAP - 1, 0),
    ("bytes=-1", SIZE - 1, SIZE - 1, 1),
    ("bytes=-7", SIZE - 7, SIZE - 1, 1),
    (f"bytes=-{SIZE * 9}", 0, CAP - 1, 1),
]


@pytest.mark.parametrize(("header", "first", "last", "stats"), RANGES)
def test_a_range_is_served_exactly_with_one_open_and_no_needless_stat(client, header, first, last, stats):
    response = ask(client, {"Range": header})
    assert response.status_code == 206
    assert response["Content-Range"] == f"bytes {first}-{last}/{SIZE}"
    assert response["Content-Length"] == str(last - first + 1)
    assert body(response) == DATA[first : last + 1]
    assert (client.stats, client.opens) == (stats, 1)


def test_a_plain_get_costs_one_open_and_is_read_a_buffer_at_a_time(client):
    response = ask(client)
    chunks = list(response)
    assert b"".join(chunks) == DATA
    assert max(map(len, chunks)) == client.largest_read == BUFFER
    assert (client.stats, client.opens) == (0, 1)


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-0", "bytes=3-"])
def test_no_byte_of_an_empty_object_can_be_asked_for(client, header):
    with pytest.raises(RangeNotSatisfiable) as refused:
        ask(client, {"Range": header}, key="ds/empty.txt")
    assert refused.value.size == 0
    assert client.closed == client.opens - (header == "bytes=3-")


def test_head_tells_size_and_type_without_opening_the_object_and_ignores_range(client):
    response = ask(client, {"Range": "bytes=0-9"}, method="HEAD")
    assert (response.status_code, response["Content-Length"], body(response)) == (200, str(SIZE), b"")
    assert response["Accept-Ranges"] == "bytes"
    assert response["ETag"] == tag(client)
    assert (client.stats, client.opens) == (1, 0)


def test_a_version_the_browser_has_is_not_sent_again_nor_opened(client):
    for headers in (
        {"If-None-Match": tag(client)},
        {"If-None-Match": f'"x", W/{tag(client)}'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": LAST_MODIFIED},
        {"If-None-Match": tag(client), "Range": "bytes=0-1"},
    ):
        for method in ("GET", "HEAD"):
            response = ask(client, headers, method)
            assert (response.status_code, body(response)) == (304, b"")
            assert response["ETag"] == tag(client)
            assert "Content-Length" not in response
    assert client.opens == 0


def test_a_failed_precondition_is_412(client):
    for headers in ({"If-Match": '"other"'}, {"If-Unmodified-Since": "Mon, 04 May 2026 12:30:14 GMT"}):
        with pytest.raises(PreconditionFailed):
            ask(client, headers)
    assert client.opens == 0


def test_an_object_replaced_between_stat_and_open_is_not_served_with_offsets_of_the_old_one(client):
    stat = client.stat

    def stat_then_replace(key: str):
        info = stat(key)
        client.etag = "v2"
        return info

    client.stat = stat_then_replace
    with pytest.raises(Unavailable, match="replaced"):
        ask(client, {"Range": "bytes=-5"})
    assert client.closed == 1


def test_the_etag_changes_with_storage_version_and_size_and_is_left_out_when_nothing_tells_versions_apart(client):
    info = client._info("ds/photo.jpg")
    variants = {etag(info, 7), etag(info, 8), etag(info._replace(etag="v2"), 7), etag(info._replace(size=1), 7)}
    variants |= {etag(info._replace(etag=""), 7)}
    assert len(variants) == 5
    client.etag, client.modified = "", None
    response = ask(client)
    assert "ETag" not in response
    assert "Last-Modified" not in response


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_missing_object_is_reported_before_anything_is_sent(client, method):
    with pytest.raises(NotFound):
        ask(client, method=method, key="ds/none.jpg")


def test_a_failure_before_the_first_byte_is_reported_and_closes_the_upstream(client):
    client.breaks_at = 0
    with pytest.raises(Unavailable):
        ask(client)
    assert client.closed == client.opens


@pytest.mark.parametrize(("fault", "at"), [("breaks_at", BUFFER), ("ends_at", BUFFER + 3)])
def test_an_upstream_that_breaks_off_and_has_no_versions_breaks_the_answer_off_instead_of_ending_it_short(client, fault, at):
    setattr(client, fault, at)
    client.etag, client.modified = "", None
    response, received = ask(client), b""
    with pytest.raises(StorageError):
        for chunk in response:
            received += chunk
    response.close()
    assert received == DATA[:at]
    assert client.closed == client.opens


def test_closing_an_answer_closes_the_upstream_whether_it_was_read_or_not(client):
    ask(client).close()
    assert client.closed == 1
    response = ask(client)
    next(iter(response))
    response.close()
    assert client.closed == 2
