"""The S3 fake serves the right client and refuses every wrong one: driven with boto3 and plain HTTP."""

import hashlib
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection

import pytest
from botocore import UNSIGNED
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.fakes.s3 import S3Fake
from tests.fakes.s3_clients import client, fetch, refusal, signed_url

ODD_KEYS = [
    "a b?#%+&=.txt",
    "folder//double",
    "/leading",
    "//",
    "a/../b/./c",
    "ünïcode/🚢 ship.jpg",
    "100%25",
    "tilde~*'()!$,;:@",
    "tab\tnewline\n",
    "x" * 1024,
    "é" * 512,
]


def test_the_right_client_can_list_read_write_and_delete(store):
    s3 = client(store)
    s3.put_object(Bucket="data", Key="b.txt", Body=b"hello", ContentType="text/x-b")
    assert store.get("data", "b.txt") == b"hello"
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket="data")["Contents"]] == ["a.txt", "b.txt"]
    answer = s3.get_object(Bucket="data", Key="b.txt")
    assert (answer["Body"].read(), answer["ContentType"], answer["ContentLength"]) == (b"hello", "text/x-b", 5)
    assert s3.head_object(Bucket="data", Key="b.txt")["ContentLength"] == 5
    s3.delete_object(Bucket="data", Key="b.txt")
    assert store.keys("data") == ["a.txt"]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_an_odd_key_survives_the_round_trip(store, key):
    s3 = client(store)
    s3.put_object(Bucket="data", Key=key, Body=b"odd")
    assert store.keys("data") == sorted(["a.txt", key])
    assert s3.get_object(Bucket="data", Key=key)["Body"].read() == b"odd"
    assert key in [entry["Key"] for entry in s3.list_objects_v2(Bucket="data", Prefix=key)["Contents"]]
    url = s3.generate_presigned_url("get_object", {"Bucket": "data", "Key": key})
    assert fetch("GET", url).data == b"odd"
    s3.delete_object(Bucket="data", Key=key)
    assert store.keys("data") == ["a.txt"]


def test_a_key_longer_than_1024_bytes_is_refused(store):
    assert refusal(client(store).put_object, Bucket="data", Key="é" * 513, Body=b"") == (400, "KeyTooLongError")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"aws_secret_access_key": "wrong"}, (403, "SignatureDoesNotMatch")),
        ({"aws_access_key_id": "AKIAUNKNOWN"}, (403, "InvalidAccessKeyId")),
        ({"aws_session_token": "unasked"}, (400, "InvalidToken")),
        ({"signature": "s3"}, (400, "InvalidRequest")),
        ({"signature": UNSIGNED}, (403, "AccessDenied")),
    ],
)
def test_a_wrong_client_is_refused(store, keys, expected):
    assert refusal(client(store, **keys).list_objects_v2, Bucket="data") == expected


def test_a_wrong_client_gets_a_bare_status_on_head(store):
    wrong = client(store, aws_secret_access_key="wrong")
    assert refusal(wrong.head_object, Bucket="data", Key="a.txt") == (403, "403")


@pytest.mark.parametrize(("token", "expected"), [(None, (403, "InvalidAccessKeyId")), ("stale", (400, "InvalidToken"))])
def test_a_temporary_key_needs_its_own_session_token(store, token, expected):
    store.add_identity("ASIATEMP", "temporary", "the-token")
    keys = {"aws_access_key_id": "ASIATEMP", "aws_secret_access_key": "temporary"}
    assert client(store, aws_session_token="the-token", **keys).list_objects_v2(Bucket="data")["KeyCount"] == 1
    assert fetch("GET", signed_url(store, aws_session_token="the-token", **keys)).status == 200
    wrong = {"aws_session_token": token, **keys} if token else keys
    assert refusal(client(store, **wrong).list_objects_v2, Bucket="data") == expected
    assert fetch("GET", signed_url(store, **wrong)).status == expected[0]


def test_an_expired_session_is_refused(store):
    store.add_identity("ASIATEMP", "temporary", "tok", expires=datetime.now(UTC) - timedelta(seconds=1))
    keys = {"aws_access_key_id": "ASIATEMP", "aws_secret_access_key": "temporary", "aws_session_token": "tok"}
    assert refusal(client(store, **keys).list_objects_v2, Bucket="data") == (400, "ExpiredToken")


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_clock_more_than_15_minutes_off_is_refused(store, minutes):
    store.advance(minutes * 60)
    assert refusal(client(store).list_objects_v2, Bucket="data") == (403, "RequestTimeTooSkewed")
    store.advance(-minutes * 60 + 14 * 60)
    assert client(store).list_objects_v2(Bucket="data")["KeyCount"] == 1


def test_the_body_must_match_its_signed_digest(store):
    request = AWSRequest("PUT", f"{store.url}/data/c.txt", {"X-Amz-Content-SHA256": hashlib.sha256(b"good").hexdigest()}, b"good")
    S3SigV4Auth(Credentials(store.access_key, store.secret_key), "s3", store.region).add_auth(request)
    changed = fetch("PUT", f"{store.url}/data/c.txt", headers=dict(request.headers), body=b"evil")
    assert (changed.status, b"XAmzContentSHA256Mismatch" in changed.data) == (400, True)
    assert store.get("data", "c.txt") is None
    assert fetch("PUT", f"{store.url}/data/c.txt", headers=dict(request.headers), body=b"good").status == 200


@pytest.mark.parametrize(("headers", "status"), [({"Transfer-Encoding": "chunked"}, 501), ({"X-Note": "no length at all"}, 411)])
def test_a_body_of_unknown_length_is_refused(store, headers, status):
    connection = HTTPConnection(store.url.removeprefix("http://"), timeout=10)
    connection.putrequest("PUT", "/data/c.txt")
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(b"1\r\nx\r\n0\r\n\r\n" if status == 501 else None)
    assert connection.getresponse().status == status
    connection.close()


def test_an_unsigned_amz_header_is_refused(store):
    answer = fetch("GET", signed_url(store), headers={"x-amz-meta-sneaky": "1"})
    assert (answer.status, b"HeadersNotSigned" in answer.data) == (403, True)


TAMPERED = {
    "other key": lambda url: url.replace("/a.txt", "/b.txt"),
    "other bucket": lambda url: url.replace("/data/", "/other/"),
    "longer life": lambda url: url.replace("X-Amz-Expires=60", "X-Amz-Expires=61"),
    "more parameters": lambda url: url + "&response-content-type=text%2Fhtml",
    "other signature": lambda url: url[:-1] + ("0" if url[-1] != "0" else "1"),
}


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED)
def test_a_tampered_presigned_url_is_refused(store, change):
    store.create_bucket("other")
    store.put("other", "a.txt", b"secret")
    store.put("data", "b.txt", b"secret")
    url = signed_url(store)
    assert fetch("GET", url).data == b"0123456789"
    answer = fetch("GET", change(url))
    assert (answer.status, b"<Code>SignatureDoesNotMatch</Code>" in answer.data) == (403, True)


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE"])
def test_a_url_signed_for_get_serves_no_other_method(store, method):
    assert fetch(method, signed_url(store)).status == 403
    assert store.get("data", "a.txt") == b"0123456789"


def test_a_url_signed_for_head_serves_head(store):
    answer = fetch("HEAD", signed_url(store, "head_object"))
    assert (answer.status, answer.headers["content-length"]) == (200, "10")


def test_a_presigned_url_expires(store):
    url = signed_url(store, seconds=60)
    store.advance(58)
    assert fetch("GET", url).status == 200
    store.advance(4)
    answer = fetch("GET", url)
    assert (answer.status, b"<Code>AccessDenied</Code><Message>Request has expired</Message>" in answer.data) == (403, True)


def test_an_injected_clock_decides_the_time():
    with S3Fake(clock=lambda: datetime(2001, 2, 3, tzinfo=UTC)) as fake:
        fake.create_bucket("data")
        answer = fetch("GET", signed_url(fake))
        assert (answer.status, b"Request is not yet valid" in answer.data) == (403, True)


@pytest.mark.parametrize(("seconds", "status"), [(604_800, 200), (604_801, 400)])
def test_a_presigned_url_may_live_seven_days_at_most(store, seconds, status):
    assert fetch("GET", signed_url(store, seconds=seconds)).status == status


def test_a_version_2_presigned_url_and_an_unsigned_url_are_refused(store):
    assert fetch("GET", signed_url(store, signature="s3-query")).status == 400
    assert fetch("GET", f"{store.url}/data/a.txt").status == 403
