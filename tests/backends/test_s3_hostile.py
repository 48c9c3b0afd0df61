"""An endpoint that only pretends to be S3 must not cost memory, time or a thread."""

import time

import pytest

from storages.errors import ConfigInvalid, Unavailable
from storages.providers import http
from tests.fakes.wire import Response, Server

PAGE = b"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken></ListBucketResult>"


def answer(body: bytes) -> Response:
    return Response(200, {"Content-Length": str(len(body))}, body)


def storage(url: str):
    from storages.backends.s3 import S3ImportStorage

    keys = {"aws_access_key_id": "AKIAANYTHING", "aws_secret_access_key": "anything"}
    return S3ImportStorage(bucket="data", prefix="p", project_id=1, s3_endpoint=url, **keys)


def test_a_flood_is_cut_off():
    with Server(lambda request: answer(b"x" * (http.ANSWER_LIMIT + 1))) as server:
        with pytest.raises(Unavailable, match="too much"):
            storage(server.url).verify()


def test_a_listing_whose_token_repeats_ends():
    seen = []
    with Server(lambda request: (seen.append(request), answer(PAGE))[1]) as server:
        with pytest.raises(Unavailable, match="token"):
            list(storage(server.url).client().list(recursive=True))
    assert len(seen) == 2


def test_a_check_gives_up_on_pages_of_nothing():
    pages = iter(range(1000))
    fresh = lambda request: answer(PAGE.replace(b"again", b"t%d" % next(pages)))  # noqa: E731
    with Server(fresh) as server:
        with pytest.raises(Exception, match="no object lies under this prefix"):
            storage(server.url).verify()
    assert next(pages) < 20


def test_an_answer_that_drips_is_given_up(monkeypatch):
    monkeypatch.setattr(http, "ANSWER_TIME", -1)
    with Server(lambda request: answer(PAGE)) as server:
        started = time.monotonic()
        with pytest.raises(Unavailable, match="too slowly"):
            list(storage(server.url).client().list(recursive=True))
        assert time.monotonic() - started < 10


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"", b'<!DOCTYPE x [<!ENTITY a "b">]><ListBucketResult/>', b"\xff\xfe"])
def test_something_else_is_no_listing(body):
    with Server(lambda request: answer(body)) as server:
        with pytest.raises(ConfigInvalid, match="not an S3 listing"):
            storage(server.url).verify()
