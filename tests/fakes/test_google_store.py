"""The Google fake stores, lists and serves objects as the official client of Cloud Storage expects."""

import io
import json
from datetime import UTC, datetime
from urllib.parse import quote_plus

import pytest
from google.api_core import exceptions

from tests.fakes.google import google_fixture as google_fixture
from tests.fakes.google_clients import bucket_of, call, error_of

HOSTILE = [
    "a b?#%+&=.txt",
    "folder//double",
    "/leading",
    "a/../b/./c",
    "ünïcode/🚢.jpg",
    "100%25",
    "~*'()!$,;:@",
    "tab\t",
    "é" * 512,
]


@pytest.fixture
def bucket(google):
    return bucket_of(google)


@pytest.mark.parametrize("cap", [1, 2, 1000])
def test_a_listing_gives_every_object_once_in_the_order_of_bytes(google, bucket, cap):
    google.page_cap = cap
    names = ["a", "a!", "a/1", "a/2", "b/1", "é", "🚢"]
    for name in reversed(names):
        google.put("data", name, b"x")
    assert [blob.name for blob in bucket.client.list_blobs(bucket)] == names
    listings = [entry for entry in google.requests if entry.path == "/storage/v1/b/data/o"]
    assert len(listings) == -(-len(names) // cap)
    listing = bucket.client.list_blobs(bucket, delimiter="/")
    assert ([blob.name for blob in listing], sorted(listing.prefixes)) == (["a", "a!", "é", "🚢"], ["a/", "b/"])
    assert [blob.name for blob in bucket.client.list_blobs(bucket, prefix="a/")] == ["a/1", "a/2"]
    assert [blob.name for blob in bucket.client.list_blobs(bucket, start_offset="a/2")] == ["a/2", "b/1", "é", "🚢"]
    assert [blob.name for blob in bucket.client.list_blobs(bucket, end_offset="a/2")] == ["a", "a!", "a/1"]


def test_fields_without_the_page_token_end_the_listing_after_its_first_page(google, bucket):
    for number in range(5):
        google.put("data", str(number), b"x")
    google.page_cap = 2
    lists = bucket.client.list_blobs
    assert len(list(lists(bucket, fields="items(name,size),prefixes,nextPageToken"))) == 5
    assert len(list(lists(bucket, fields="items(name)"))) == 2
    item = json.loads(call(google, "GET", "/storage/v1/b/data/o?fields=items/name,items/size").data)["items"][0]
    assert item == {"name": "0", "size": "1"}


@pytest.mark.parametrize("fields", ["items(name,lastModified)", "itemz", "items(name", "items)", ""])
def test_fields_that_do_not_exist_are_refused(google, fields):
    assert error_of(call(google, "GET", f"/storage/v1/b/data/o?fields={fields}")) == (400, "invalidParameter")


@pytest.mark.parametrize("change", ["prefix=1", "delimiter=/", "prefix="])
def test_a_page_token_serves_only_the_listing_it_came_from(google, change):
    for number in range(3):
        google.put("data", str(number), b"x")
    target = "/storage/v1/b/data/o?maxResults=1"
    token = quote_plus(json.loads(call(google, "GET", target).data)["nextPageToken"])
    answer = call(google, "GET", f"{target}&{change}&pageToken={token}")
    assert answer.status == 200 if change == "prefix=" else error_of(answer) == (400, "invalid")
    google.create_bucket("other")
    assert error_of(call(google, "GET", f"/storage/v1/b/other/o?pageToken={token}")) == (400, "invalid")


@pytest.mark.parametrize("query", ["maxResults=0", "maxResults=many", "maxResults=-1", "pageToken=invented"])
def test_a_malformed_listing_is_refused(google, query):
    assert error_of(call(google, "GET", f"/storage/v1/b/data/o?{query}")) == (400, "invalid")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_survives_the_round_trip(google, bucket, name):
    google.put("data", "decoy", b"decoy")
    bucket.blob(name).upload_from_string(b"odd", content_type="text/x-odd")
    assert (google.get("data", name), google.keys("data", name)) == (b"odd", [name])
    assert bucket.blob(name).download_as_bytes() == b"odd"
    assert [blob.name for blob in bucket.client.list_blobs(bucket, prefix=name)] == [name]
    bucket.blob(name).delete()
    assert google.keys("data") == ["decoy"]


@pytest.mark.parametrize("name", ["line%0Afeed", "return%0D", "x" * 1025, "..", "%2E", ""])
def test_an_impossible_name_is_refused(google, name):
    answer = call(google, "POST", f"/upload/storage/v1/b/data/o?uploadType=media&name={name}", body=b"")
    assert (error_of(answer), google.keys("data")) == ((400, "invalid"), [])
    assert error_of(call(google, "GET", "/storage/v1/b/data/o/%FF")) == (400, "invalid")


def test_an_unescaped_slash_in_the_path_finds_no_object(google):
    google.put("data", "a/b", b"x")
    assert error_of(call(google, "GET", "/storage/v1/b/data/o/a/b")) == (404, "notFound")
    assert call(google, "GET", "/storage/v1/b/data/o/a%2Fb?alt=media").data == b"x"


def test_metadata_have_the_types_of_the_json_api(google, bucket):
    google.put("data", "a.txt", b"0123456789", "text/plain")
    raw = json.loads(call(google, "GET", "/storage/v1/b/data/o/a.txt").data)
    assert (raw["size"], raw["contentType"], raw["crc32c"], raw["md5Hash"]) == (
        "10",
        "text/plain",
        "KAwGng==",
        "eB5eJF1ptWaXm4bijSPyxw==",
    )
    assert datetime.strptime(raw["updated"], "%Y-%m-%dT%H:%M:%S.%fZ") and len(raw["updated"]) == len("2026-01-01T00:00:00.000Z")
    blob = bucket.get_blob("a.txt")
    assert (blob.size, blob.etag, str(blob.generation)) == (10, raw["etag"], raw["generation"])
    assert abs((blob.updated - datetime.now(UTC)).total_seconds()) < 60
    head = call(google, "HEAD", "/storage/v1/b/data/o/a.txt")
    assert (head.status, head.data, head.headers["ETag"]) == (200, b"", raw["etag"])
    assert bucket.get_blob("absent") is None


@pytest.mark.parametrize(("size", "chunk"), [(0, None), (10, None), (700_001, 262_144), (524_288, 262_144), (9 << 20, None)])
def test_uploads_of_every_size_arrive_whole(google, bucket, size, chunk):
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    blob = bucket.blob("up", chunk_size=chunk)
    blob.upload_from_file(io.BytesIO(body), size=None if chunk else size, content_type="text/x-up")  # no size: resumable
    assert google.get("data", "up") == body
    kinds = {"resumable" in entry.query for entry in google.requests if entry.path.startswith("/upload/")}
    assert kinds == {chunk is not None or size > 8 << 20}
    assert (blob.size, bucket.get_blob("up").content_type) == (size, "text/x-up")
    assert blob.download_as_bytes() == body


def test_bytes_that_do_not_match_their_checksum_are_refused(google):
    target = "/upload/storage/v1/b/data/o?uploadType=media&name=x"
    assert error_of(call(google, "POST", target, body=b"x", x_goog_hash="crc32c=AAAAAA==")) == (400, "invalid")
    assert google.keys("data") == []


def test_a_resumable_session_takes_chunks_only_in_order(google):
    opened = call(google, "POST", "/upload/storage/v1/b/data/o?uploadType=resumable&name=x")
    target = opened.headers["Location"].removeprefix(google.api_url)
    assert call(google, "PUT", target, body=b"late", Content_Range="bytes 5-8/9").status == 400
    assert call(google, "PUT", target, body=b"odd size", Content_Range="bytes 0-7/*").status == 400
    assert call(google, "PUT", target, body=b"lies", Content_Range="bytes 0-9/10").status == 400
    assert call(google, "PUT", target, body=b"", Content_Range="bytes */*").status == 308
    assert call(google, "PUT", target, body=b"123", Content_Range="bytes 0-2/3").status == 200
    assert google.get("data", "x") == b"123"
    assert call(google, "PUT", target, body=b"123", Content_Range="bytes 0-2/3").status == 404


RANGES = [
    ("bytes=0-0", b"0", "bytes 0-0/10"),
    ("bytes=2-4", b"234", "bytes 2-4/10"),
    ("bytes=8-99", b"89", "bytes 8-9/10"),
    ("bytes=7-", b"789", "bytes 7-9/10"),
    ("bytes=-3", b"789", "bytes 7-9/10"),
    ("bytes=-99", b"0123456789", "bytes 0-9/10"),
]


@pytest.mark.parametrize("path", ["/storage/v1/b/data/o/a?alt=media", "/download/storage/v1/b/data/o/a?alt=media", "/data/a"])
@pytest.mark.parametrize(("header", "body", "content_range"), RANGES)
def test_a_range_is_served_to_get_and_described_to_head(google, path, header, body, content_range):
    google.put("data", "a", b"0123456789", "text/plain")
    for method, data in (("GET", body), ("HEAD", b"")):
        answer = call(google, method, path, Range=header)
        assert (answer.status, answer.data, answer.headers["Content-Range"]) == (206, data, content_range)
        assert answer.headers["Content-Length"] == str(len(body))
        assert (answer.headers["X-Goog-Stored-Content-Length"], answer.headers["Content-Type"]) == ("10", "text/plain")
        assert answer.headers["ETag"] and answer.headers["Last-Modified"] and answer.headers["x-goog-generation"]


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-12", "bytes=-0"])
def test_a_range_behind_the_end_is_416(google, bucket, header):
    google.put("data", "a", b"0123456789")
    answer = call(google, "GET", "/storage/v1/b/data/o/a?alt=media", Range=header)
    assert (answer.status, answer.headers["Content-Range"]) == (416, "bytes */10")
    with pytest.raises(exceptions.RequestRangeNotSatisfiable):
        bucket.blob("a").download_as_bytes(start=10, end=12, raw_download=True)


@pytest.mark.parametrize("header", ["bytes=4-2", "bytes=a-b", "lines=1-2", "bytes=0-1,3-4", "bytes=-"])
def test_a_range_that_is_none_gets_the_whole(google, header):
    google.put("data", "a", b"0123456789")
    answer = call(google, "GET", "/storage/v1/b/data/o/a?alt=media", Range=header)
    assert (answer.status, answer.data) == (200, b"0123456789")


def test_the_official_client_reads_ranges(google, bucket):
    google.put("data", "a", b"0123456789")
    assert bucket.blob("a").download_as_bytes(start=2, end=4) == b"234"
    assert bucket.blob("a").download_as_bytes(start=7) == b"789"


def test_preconditions_guard_creation_overwriting_and_deletion(google, bucket):
    blob = bucket.blob("a")
    blob.upload_from_string(b"1", if_generation_match=0)
    with pytest.raises(exceptions.PreconditionFailed):
        blob.upload_from_string(b"2", if_generation_match=0)
    blob.upload_from_string(b"2", if_generation_match=blob.generation)
    with pytest.raises(exceptions.PreconditionFailed):
        blob.delete(if_generation_match=1)
    assert google.get("data", "a") == b"2"
    blob.delete(if_generation_match=blob.generation)
    with pytest.raises(exceptions.NotFound):
        blob.delete()
