"""The default server with as many streams as it allows: the API must not notice, and one more is told to come back."""

import json
from collections.abc import Iterator

import pytest

from config.capacity import STREAMS
from tests.storages.media.crowd import crowd, latencies
from tests.storages.media.server import Server, serving

CONFIG = ("-c", "python:config.gunicorn")


@pytest.fixture(scope="module")
def one_process() -> Iterator[Server]:
    with serving(*CONFIG, WEB_WORKERS="1") as started:
        yield started


def test_one_stream_more_than_allowed_is_told_when_to_come_back_while_the_api_goes_on(one_process):
    with crowd(one_process, STREAMS, pause=0.05) as heads:
        assert all(head.startswith(b"HTTP/1.1 200") for head in heads)
        refused, body = one_process.get("/small.txt")
        assert (refused.status, refused.getheader("Retry-After"), json.loads(body)["status_code"]) == (503, "1", 503)
        assert one_process.get("/api/version/")[0].status == 200
    assert one_process.closes(STREAMS)
    assert one_process.get("/small.txt")[1] == b"hello"


def test_as_many_slow_streams_as_the_default_server_allows_leave_the_api_quick():
    with serving(*CONFIG) as server, crowd(server, STREAMS, pause=0.05) as heads:
        assert all(head.startswith(b"HTTP/1.1 200") for head in heads)
        took = latencies(server, "/api/version/", 20)
        print(f"/api/version/ beside {STREAMS} slow streams: p50 {took[9]:.1f} ms, p95 {took[18]:.1f} ms")
        assert took[18] < 250
