"""Our signatures are those of botocore, which is AWS's own: for requests of every kind that this product makes."""

from datetime import UTC, datetime
from urllib.parse import quote, urlencode

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from storages.providers.aws.signature import day_key, sign

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
KEYS = ReadOnlyCredentials("AKIAEXAMPLE000000001", "a/secret+of/the+tests", None)
SESSION = ReadOnlyCredentials("ASIAEXAMPLE000000001", "a/secret+of/the+tests", "a//session+token==")
LISTING = {"list-type": "2", "prefix": "a b/ü&=+/", "start-after": "~x*", "encoding-type": "url", "delimiter": "/"}


def botocore_signs(method, url, headers, body, credentials, region, service="s3"):
    """The Authorization header of botocore at NOW."""
    request = AWSRequest(method=method, url=url, headers=headers, data=body or None)
    request.context.update(client_config=None, payload_signing_enabled=True, timestamp=f"{NOW:%Y%m%dT%H%M%SZ}")
    signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(credentials, service, region)
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    if service == "s3":
        request.headers["X-Amz-Content-SHA256"] = signer.payload(request)
    if credentials.token:
        request.headers["X-Amz-Security-Token"] = credentials.token
    text = signer.string_to_sign(request, signer.canonical_request(request))
    scope, names = signer.scope(request), signer.signed_headers(signer.headers_to_sign(request))
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={signer.signature(text, request)}"


@pytest.mark.parametrize("credentials", [KEYS, SESSION])
@pytest.mark.parametrize(
    ("method", "url", "headers", "body"),
    [
        ("GET", "https://data.s3.eu-west-1.amazonaws.com/a%20b/%C3%BC%2B.json", {}, b""),
        ("GET", "http://127.0.0.1:9000/data/r.bin", {"Range": "bytes=5-9"}, b""),
        ("GET", f"https://minio.example:443/data/?{urlencode(LISTING, quote_via=quote)}", {}, b""),
        ("GET", "http://Minio.Example:80/data/?list-type=2&prefix=", {}, b""),
        ("GET", "http://[::1]:9000/data/x//y", {}, b""),
        ("GET", "http://[::1]/data/~tilde", {}, b""),
        ("HEAD", "https://minio.example:80/data/a", {}, b""),
        ("PUT", "http://127.0.0.1:9000/data/1.json", {"Content-Type": "application/json; a=1 ,  b"}, b'{"a": 1}'),
        ("DELETE", "http://127.0.0.1:9000/data/1.json", {}, b""),
    ],
)
def test_a_signature_is_the_one_that_botocore_makes(credentials, method, url, headers, body):
    ours = sign(method, url, headers, body, credentials, "eu-west-1", now=NOW)
    assert ours["Authorization"] == botocore_signs(method, url, headers, body, credentials, "eu-west-1")
    assert ours.get("X-Amz-Security-Token") == credentials.token
    assert headers.items() <= ours.items()


@settings(deadline=None)
@given(key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1), value=st.text(st.characters(exclude_categories=["Cs"])))
def test_no_key_and_no_parameter_makes_a_difference(key, value):
    url = f"http://127.0.0.1:9000/data/{quote(key, safe='/~')}?{urlencode({'prefix': value, 'a': key}, quote_via=quote)}"
    ours = sign("GET", url, {}, b"", KEYS, "us-east-1", now=NOW)
    assert ours["Authorization"] == botocore_signs("GET", url, {}, b"", KEYS, "us-east-1")


def test_a_signing_key_belongs_to_one_secret_day_region_and_service():
    made = {day_key(*given) for given in [("s", "20260101", "r", "s3"), ("t", "20260101", "r", "s3"), ("s", "20260102", "r", "s3"), ("s", "20260101", "q", "s3"), ("s", "20260101", "r", "sts")]}  # fmt: skip
    assert len(made) == 5


def test_the_clock_of_a_signature_is_the_one_of_now():
    signed = sign("GET", "http://h/b/k", {}, b"", KEYS, "us-east-1")["X-Amz-Date"]
    assert abs((datetime.strptime(signed, "%Y%m%dT%H%M%S%z") - datetime.now(UTC)).total_seconds()) < 5
