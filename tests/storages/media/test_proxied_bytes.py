"""What the table cannot list: random objects and ranges, objects that change between ranges, objects stored compressed."""

import gzip
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storages.backends import BACKENDS
from tests.storages.media.live import Desk, opened
from tests.storages.media.test_ranges import model

pytestmark = pytest.mark.django_db(transaction=True)
CAP = 1500
VERSIONED = [name for name in BACKENDS if name != "redis"]
COMPRESSING = ["s3", "gcs", "azure"]  # stores that keep a Content-Encoding


@pytest.fixture
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    """A server with an empty container behind it. Parameter: the backend."""
    directory = Path(os.environ["LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"]) / f"bytes-{uuid.uuid4().hex[:8]}"
    limits = {"RESOLVER_PROXY_MAX_RANGE_SIZE": CAP, "RESOLVER_PROXY_BUFFER_SIZE": 512}
    with opened(request.param, directory, **limits) as desk:
        yield desk


number = st.integers(0, 4200).map(str) | st.just("")
object_bytes = st.binary(max_size=8) | st.binary(min_size=1000, max_size=1000).map(lambda seed: (seed * 5)[: 1000 + seed[0] * 12])


@pytest.mark.parametrize("desk", ["s3", "azure", "gcs", "localfiles"], indirect=True)
def test_the_proxied_bytes_are_the_slice_of_the_object_and_the_headers_say_so(desk: Desk) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(whole=object_bytes, first=number, last=number)
    def holds(whole: bytes, first: str, last: str) -> None:
        desk.box.put("any.bin", whole)
        answer = desk.ask("any.bin", {"Range": f"bytes={first}-{last}"})
        wanted = model(f"bytes={first}-{last}", len(whole), CAP)
        if wanted == []:
            assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{len(whole)}")
            return
        start, stop = (wanted[0], wanted[-1] + 1) if wanted else (0, len(whole))
        assert answer.status == (206 if wanted else 200)
        assert answer.body == whole[start:stop]
        assert answer.headers["Content-Length"] == str(stop - start)
        assert answer.headers["Content-Range"] == (f"bytes {start}-{stop - 1}/{len(whole)}" if wanted else None)

    holds()


@pytest.mark.parametrize("desk", VERSIONED, indirect=True)
def test_an_object_that_changed_between_two_ranges_is_sent_anew_as_a_whole(desk: Desk) -> None:
    old, new = b"old " * 100, b"new!" * 90
    desk.box.put("film.webm", old)
    first = desk.ask("film.webm", {"Range": "bytes=0-99"})
    assert (first.status, first.body) == (206, old[:100]) and not first.headers["ETag"].startswith("W/")
    same = desk.ask("film.webm", {"Range": "bytes=100-199", "If-Range": first.headers["ETag"]})
    assert (same.status, same.body) == (206, old[100:200])
    desk.box.put("film.webm", new)
    for asked in ("bytes=200-299", "bytes=200-", "bytes=-10", "bytes=390-"):  # the last one lies behind the new end
        answer = desk.ask("film.webm", {"Range": asked, "If-Range": first.headers["ETag"]})
        assert (answer.status, answer.body, answer.headers["Content-Range"]) == (200, new, None)
        assert answer.headers["ETag"] != first.headers["ETag"]
    again = desk.ask("film.webm", {"Range": "bytes=0-3", "If-Range": answer.headers["ETag"]})
    assert (again.status, again.body) == (206, b"new!")


@pytest.mark.parametrize("desk", [name for name in VERSIONED if name != "databricks"], indirect=True)
def test_versions_of_the_same_size_made_in_the_same_second_have_different_tags(desk: Desk) -> None:
    """Databricks tells no more of a file than its size and the second it was written in."""
    tags = set()
    for body in (b"one", b"two", b"six"):
        desk.box.put("a.txt", body)
        tags.add(desk.ask("a.txt", method="HEAD").headers["ETag"])
    assert len(tags) == 3 and not any(tag.startswith("W/") for tag in tags)


def store(desk: Desk, body: bytes, encoding: str, name: str = "words.txt") -> None:
    """An object with a Content-Encoding."""
    container = getattr(desk.box, "container", "data")
    desk.box.fake.put(container, name, body, "text/plain", encoding)


@pytest.mark.parametrize("desk", COMPRESSING, indirect=True)
def test_an_object_stored_compressed_is_passed_on_as_it_is_stored(desk: Desk) -> None:
    packed = gzip.compress(bytes(range(256)) * 4, mtime=0)
    store(desk, packed, "gzip")
    for method, headers, status, body in (
        ("GET", {}, 200, packed),
        ("GET", {"Range": "bytes=5-9"}, 206, packed[5:10]),
        ("GET", {"Range": "bytes=-8"}, 206, packed[-8:]),
        ("HEAD", {}, 200, b""),
    ):
        answer = desk.ask("words.txt", headers, method)
        assert (answer.status, answer.body, answer.headers["Content-Encoding"]) == (status, body, "gzip")
        assert (answer.headers["Content-Type"], answer.headers["Vary"]) == ("text/plain", "Authorization, Cookie")
        assert answer.headers["Content-Length"] == str(len(body) if method == "GET" else len(packed))
    known = desk.ask("words.txt", {"If-None-Match": answer.headers["ETag"]})
    assert (known.status, known.body) == (304, b"")
