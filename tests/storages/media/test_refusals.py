"""What bad input gets from the resolver, and what is told when the storage itself fails."""

import base64
from urllib.parse import quote

import pytest

from storages.media.uris import encode
from tests.storages.media.asking import KEY, ROUTES, URI, address, assert_envelope
from tests.storages.media.conftest import PICTURE


@pytest.mark.parametrize(
    "query", ["", "?fileuri=", "?fileuri=%20", "?fileuri=abc", "?fileuri=%FF%FE", "?fileuri=aGVsbG8=", "?d=x"]
)
@pytest.mark.parametrize("route", ROUTES)
def test_a_fileuri_that_is_missing_or_no_uri_is_400(api, task, route, query):
    assert_envelope(api.get(route.format(task=task.pk, project=task.project_id) + query), 400)


STRANGE = [
    "s3://data/\0",
    "s3://data/ds/../../etc/passwd",
    "s3://data/" + "x" * 5000,
    "s3://data",
    "s3://",
    "s3:///ds/1.png",
    "s3://data\\ds\\1.png",
    "S3://data/ds/1.png",
    "://",
    "javascript://data/ds/1.png",
    "http://127.0.0.1/latest/meta-data",
    "file:///etc/passwd",
    "s3://data/ds/\ud800.png",
    "s3://data@elsewhere/ds/1.png",
]


def storable(uri: str) -> bool:
    """Whether PostgreSQL takes it as part of a task's data."""
    return "\0" not in uri and not any("\ud800" <= character <= "\udfff" for character in uri)


@pytest.mark.parametrize("uri", STRANGE)
@pytest.mark.parametrize("route", ROUTES)
def test_a_strange_uri_is_404_even_with_a_strange_range_and_is_asked_of_nobody(api, make_task, source, s3, route, uri):
    source(prefix="ds", presign=False)
    task = make_task([URI, uri] if storable(uri) else [URI])
    for headers in ({}, {"Range": "bytes=" + "9" * 8000 + "-"}, {"Range": "bytes=-0"}, {"If-Range": "\x7f" * 8000}):
        assert_envelope(api.get(address(route, task, encode(uri)), headers=headers), 404)
    assert s3.requests == []


@pytest.mark.parametrize(
    "uri", ["s3://data/ds/\0.png", "s3://data/ds/%2e%2e/secret.png", "s3://data/ds/a\r\nb: c", "s3://data/ds/\uffff"]
)
@pytest.mark.parametrize("route", ROUTES)
def test_a_strange_key_is_asked_for_as_it_is_and_does_not_exist(api, make_task, source, s3, route, uri):
    source(prefix="ds", presign=False)
    s3.put("data", "secret.png", PICTURE)
    task = make_task([URI, uri] if storable(uri) else [URI])
    assert_envelope(api.get(address(route, task, encode(uri))), 404)


@pytest.mark.parametrize("pk", ["0", "999999", "9" * 25, "x", "-1", "1.5"])
@pytest.mark.parametrize("kind", ["tasks", "projects"])
def test_an_unknown_or_impossible_id_is_404(api, task, kind, pk):
    assert_envelope(api.get(f"/{kind}/{pk}/resolve/?fileuri={encode(URI)}"), 404)


@pytest.mark.parametrize("form", [encode(URI).rstrip("="), URI, quote(URI, safe=""), base64.b64encode(URI.encode()).decode()])
def test_fileuri_is_understood_in_every_documented_form(api, task, source, form):
    source()
    assert api.get(address(ROUTES[0], task, form)).status_code == 303


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_only_reading_is_allowed(api, task, method):
    assert_envelope(getattr(api, method)(address(ROUTES[0], task)), 405)


def test_a_range_behind_the_end_is_416_with_the_size(api, task, source):
    source(presign=False)
    response = api.get(address(ROUTES[0], task), headers={"Range": "bytes=999999-"})
    assert_envelope(response, 416)
    assert response["Content-Range"] == f"bytes */{len(PICTURE)}"


# the storage fails


REFUSALS = [
    ("get", 404, "NoSuchKey", 404),
    ("get", 403, "AccessDenied", 403),
    ("get", 403, "InvalidAccessKeyId", 400),
    ("get", 500, "InternalError", 502),
    ("get", 503, "SlowDown", 429),
    ("head", 404, "", 404),
    ("head", 403, "", 403),
    ("head", 500, "", 502),
]


@pytest.mark.parametrize(("method", "status", "code", "expected"), REFUSALS)
def test_a_refusal_of_the_storage_is_told_as_what_it_is_without_a_secret(api, task, source, s3, method, status, code, expected):
    source(presign=False)
    s3.fail_next(9, status=status, code=code, match=KEY)
    response = getattr(api, method)(address(ROUTES[0], task))
    assert_envelope(response, expected) if method == "get" else None
    assert response.status_code == expected
    assert s3.secret_key not in response.content.decode()


def test_a_storage_that_is_down_is_502(api, task, source, s3):
    source(presign=False)
    s3.refuse_all()
    assert_envelope(api.get(address(ROUTES[0], task)), 502)


def test_a_missing_object_is_404(api, make_task, source):
    source(presign=False)
    uri = "s3://data/ds/none.png"
    assert_envelope(api.get(address(ROUTES[0], make_task({"image": uri}), encode(uri))), 404)


def test_a_storage_that_cannot_be_used_says_why(api, task, source):
    source(bucket="Not A Bucket")
    response = api.get(address(ROUTES[0], task))
    assert_envelope(response, 400)
    assert "bucket" in response.json()["detail"]
