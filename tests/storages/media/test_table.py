"""The table of requests against every backend, over HTTP: status, range, length, bytes and headers of each answer."""

import json
import os
import uuid
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

import pytest

from storages.backends import BACKENDS
from tests.storages.media.live import Answer, Desk, opened
from tests.storages.media.table import CAP, EMPTY, OBJECTS, ROWS, Row, title

pytestmark = pytest.mark.django_db(transaction=True)
SHARED = {  # of 200, 206, 304 and HEAD
    "Accept-Ranges": "bytes",
    "Cache-Control": "private, max-age=3600, must-revalidate",
    "Vary": "Authorization, Cookie",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}
SHOWN = {
    "photo.png": {"Content-Type": "image/png", "Content-Disposition": 'inline; filename="photo.png"'},
    "empty.txt": {"Content-Type": "text/plain", "Content-Disposition": 'inline; filename="empty.txt"'},
}


@pytest.fixture(params=list(BACKENDS))
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    """A server with the table's objects behind it, once for each backend."""
    directory = Path(os.environ["LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"]) / f"table-{uuid.uuid4().hex[:8]}"
    limits = {"RESOLVER_PROXY_MAX_RANGE_SIZE": CAP, "RESOLVER_PROXY_BUFFER_SIZE": 64}
    with opened(request.param, directory, **limits) as desk:
        for name, body in OBJECTS.items():
            desk.box.put(name, body)
        yield desk


@pytest.fixture
def validators(desk: Desk) -> dict[str, dict[str, str]]:
    """Name of an object → its ETag and Last-Modified, as HEAD tells them."""
    found = {name: desk.ask(name, method="HEAD").headers for name in OBJECTS}
    return {name: {key: headers[key] for key in ("ETag", "Last-Modified") if key in headers} for name, headers in found.items()}


def filled(row: Row, validators: dict[str, str]) -> dict[str, str]:
    """The row's headers with the object's validators in place; some others where it has none."""
    moment = parsedate_to_datetime(validators.get("Last-Modified", "Mon, 04 May 2026 12:30:15 GMT"))
    dates = {"older": moment - timedelta(seconds=1), "modified": moment, "newer": moment + timedelta(seconds=1)}
    values = {"tag": validators.get("ETag", '"none"')} | {name: format_datetime(date, True) for name, date in dates.items()}
    return {name: value.format(**values) for name, value in row.ask.items()}


def fetches(desk: Desk) -> int:
    """How often the bytes of an object were asked for so far, as the fake saw it; 0 where there is no fake."""
    requests = getattr(getattr(desk.box, "fake", None), "requests", ())
    photos = [one for one in requests if one.method == "GET" and any(name in one.path for name in OBJECTS)]
    return len([one for one in photos if "/storage/v1/" not in one.path or one.path.startswith("/download/")])


def test_every_backend_answers_as_the_table_says(
    desk: Desk, validators: dict[str, dict[str, str]], subtests: pytest.Subtests
) -> None:
    for row in ROWS:  # and not by parametrize: a server and a container for each row would take minutes
        with subtests.test(title(row)):
            check(desk, row, validators[row.name])


def check(desk: Desk, row: Row, known: dict[str, str]) -> None:
    """Asks as the row says and compares the whole answer."""
    before = fetches(desk)
    versioned = desk.client.capabilities.versions
    assert set(known) == ({"ETag", "Last-Modified"} if versioned else set())
    answer = desk.ask(row.name, filled(row, known), row.method)
    status = row.status if versioned or row.bare is None else row.bare
    assert answer.status == status, answer.body[:300]
    if status in (412, 416):
        assert_refused(answer, row)
    else:
        assert {name: answer.headers[name] for name in SHARED} == SHARED
        assert {name: answer.headers[name] for name in ("ETag", "Last-Modified") if name in answer.headers} == known
        assert_bytes(answer, row)
    if status in (304, 412) or row.method == "HEAD":
        assert fetches(desk) == before, "decided before any body was fetched"
    elif status in (200, 206) and hasattr(desk.box, "fake"):
        assert fetches(desk) > before


def assert_refused(answer: Answer, row: Row) -> None:
    """An envelope; a 416 tells the size."""
    if row.method == "GET":
        assert json.loads(answer.body)["status_code"] == answer.status
    size = f"bytes */{len(OBJECTS[row.name])}" if answer.status == 416 else None
    assert answer.headers["Content-Range"] == size
    assert "ETag" not in answer.headers and answer.headers["Content-Type"] == "application/json"


def assert_bytes(answer: Answer, row: Row) -> None:
    """The bytes asked for under their own length and range, and how they may be shown."""
    whole = OBJECTS[row.name]
    first, last = row.part if answer.status == 206 and row.part else (0, len(whole) - 1)
    part = whole[first : last + 1]
    assert answer.headers["Content-Range"] == (f"bytes {first}-{last}/{len(whole)}" if answer.status == 206 else None)
    assert answer.body == (part if row.method == "GET" and answer.status != 304 else b"")
    assert {name: answer.headers[name] for name in SHOWN[row.name]} == SHOWN[row.name]
    if answer.status != 304 and (part or row.method == "GET"):  # Django's test server drops the length 0 from HEAD
        assert answer.headers["Content-Length"] == str(len(part))


def test_the_table_is_long_enough_and_asks_nothing_twice() -> None:
    assert len(ROWS) >= 60 and len({(str(row.ask), row.name, row.method) for row in ROWS}) == len(ROWS)
    assert EMPTY in OBJECTS
