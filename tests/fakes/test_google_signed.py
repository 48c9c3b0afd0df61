"""The Google fake honours V4 signed URLs of the official client and refuses every other: changed, late, too long."""

import json
from datetime import timedelta

import pytest

from tests.fakes.google import google_fixture as google_fixture
from tests.fakes.google_clients import account, bucket_of
from tests.fakes.s3_clients import fetch

STRANGER = "stranger@harbour-tests.iam.gserviceaccount.com"
ODD = "folder/ünï q?x=1&y#z 100%25+plus~*'().txt"


@pytest.fixture(autouse=True)
def objects(google):
    google.put("data", "a.txt", b"0123456789", "text/plain")
    google.put("data", "b.txt", b"secret")


def signed_url(
    google, name: str = "a.txt", method: str = "GET", seconds: int = 60, email: str | None = None, **more: object
) -> str:
    blob = bucket_of(google).blob(name)
    life = timedelta(seconds=seconds)
    return blob.generate_signed_url(version="v4", expiration=life, method=method, credentials=account(google, email), **more)


def code_of(method: str, url: str, **headers: str) -> tuple[int, str]:
    answer = fetch(method, url, headers, b"" if method == "PUT" else None)
    return answer.status, answer.data.decode().partition("<Code>")[2].partition("</Code>")[0]


@pytest.mark.parametrize("name", ["a.txt", ODD])
def test_a_signed_url_serves_the_object_whole_in_ranges_and_to_head(google, name):
    google.put("data", name, b"0123456789", "text/plain")
    url = signed_url(google, name)
    whole = fetch("GET", url)
    assert (whole.status, whole.data, whole.headers["ETag"]) == (200, b"0123456789", '"781e5e245d69b566979b86e28d23f2c7"')
    part = fetch("GET", url, {"Range": "bytes=-3"})
    assert (part.status, part.data, part.headers["Content-Range"]) == (206, b"789", "bytes 7-9/10")
    assert fetch("GET", url, {"Range": "bytes=10-"}).status == 416
    head = fetch("HEAD", url)
    assert (head.status, head.headers["Content-Length"], head.headers["Content-Type"]) == (200, "10", "text/plain")


def test_a_signed_url_can_change_how_the_browser_takes_the_object(google):
    url = signed_url(google, response_type="image/png", response_disposition="inline")
    answer = fetch("GET", url)
    assert (answer.headers["Content-Type"], answer.headers["Content-Disposition"]) == ("image/png", "inline")


def test_a_url_signed_for_put_stores_what_the_signer_may_store(google):
    url = signed_url(google, "new.txt", "PUT", content_type="text/x-new")
    assert fetch("PUT", url, {"Content-Type": "text/other"}, b"x").status == 403
    assert fetch("PUT", url, {"Content-Type": "text/x-new"}, b"x").status == 200
    google.revoke(google.email, "data", "storage.objects.delete")
    assert fetch("PUT", url, {"Content-Type": "text/x-new"}, b"again").status == 403
    assert google.get("data", "new.txt") == b"x"


TAMPERED = {
    "other object": lambda url: url.replace("/a.txt", "/b.txt"),
    "other bucket": lambda url: url.replace("/data/", "/other/"),
    "longer life": lambda url: url.replace("X-Goog-Expires=60", "X-Goog-Expires=61"),
    "more parameters": lambda url: url + "&response-content-type=text%2Fhtml",
    "other signature": lambda url: url[:-2] + ("00" if url[-2:] != "00" else "11"),
    "no hexadecimal": lambda url: url[:-2] + "zz",
    "cut signature": lambda url: url[:-1],
    "other signer": lambda url: url.replace("quayside%40", "stranger%40"),
    "unknown signer": lambda url: url.replace("quayside%40", "nobody%40"),
}


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED)
def test_a_tampered_url_is_refused(google, change):
    google.create_bucket("other")
    google.put("other", "a.txt", b"secret")
    google.add_service_account(STRANGER)
    url = signed_url(google)
    assert fetch("GET", url).status == 200
    assert code_of("GET", change(url)) == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize(("signed", "used"), [("GET", "PUT"), ("HEAD", "GET"), ("PUT", "GET"), ("PUT", "HEAD")])
def test_a_url_serves_only_the_method_it_was_signed_for(google, signed, used):
    assert fetch(used, signed_url(google, method=signed), body=b"" if used == "PUT" else None).status == 403
    assert google.get("data", "a.txt") == b"0123456789"


def test_an_expired_url_is_refused_and_so_is_one_from_the_future(google):
    url = signed_url(google)
    google.advance(55)
    assert fetch("GET", url).status == 200
    google.advance(10)
    assert code_of("GET", url) == (400, "ExpiredToken")
    google.advance(-65 - 16 * 60)
    assert code_of("GET", url) == (403, "AccessDenied")


MALFORMED = {
    "over seven days": lambda url: url.replace("X-Goog-Expires=604800", "X-Goog-Expires=604801"),
    "no time": lambda url: url.replace("X-Goog-Expires=604800", "X-Goog-Expires=0"),
    "no expiry": lambda url: url.replace("X-Goog-Expires=604800", "X-Goog-Expires="),
    "no date": lambda url: url.replace("X-Goog-Date=2", "X-Goog-Date=x2"),
    "other day": lambda url: url.replace("X-Goog-Date=2", "X-Goog-Date=1"),
    "other service": lambda url: url.replace("%2Fstorage%2F", "%2Fcompute%2F"),
    "host not signed": lambda url: url.replace("SignedHeaders=host", "SignedHeaders=range"),
    "other algorithm": lambda url: url.replace("GOOG4-RSA-SHA256", "GOOG4-HMAC-SHA256"),
    "no signature": lambda url: url.partition("&X-Goog-Signature")[0],
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_url_is_refused(google, change):
    url = signed_url(google, seconds=604_800)
    assert fetch("GET", url).status == 200
    assert change(url) != url
    assert code_of("GET", change(url)) == (400, "MalformedSecurityHeader")


def test_an_unsigned_goog_header_is_refused(google):
    assert code_of("GET", signed_url(google), **{"x-goog-user-project": "other"}) == (400, "MalformedSecurityHeader")


def test_the_signature_of_another_key_is_refused(google):
    stolen = json.loads(google.service_account_json(STRANGER))["private_key"]
    blob, life = bucket_of(google).blob("a.txt"), timedelta(minutes=1)
    url = blob.generate_signed_url(version="v4", expiration=life, credentials=account(google, private_key=stolen))
    assert code_of("GET", url) == (403, "SignatureDoesNotMatch")


def test_a_version_2_url_and_no_signature_at_all_are_refused(google):
    url = (
        bucket_of(google)
        .blob("a.txt")
        .generate_signed_url(version="v2", expiration=timedelta(minutes=1), credentials=account(google))
    )
    assert code_of("GET", url)[0] == 401
    assert code_of("GET", f"{google.api_url}/data/a.txt") == (401, "AuthenticationRequired")


def test_the_signer_needs_the_permission_itself(google):
    url = signed_url(google, email=STRANGER)
    answer = fetch("GET", url)
    assert (answer.status, b"<Code>AccessDenied</Code>" in answer.data, b"storage.objects.get" in answer.data) == (
        403,
        True,
        True,
    )
    google.grant(STRANGER, "data", "storage.objects.get")
    assert fetch("GET", url).status == 200


def test_what_is_not_there_is_404_for_whoever_may_read(google):
    assert code_of("GET", signed_url(google, "absent")) == (404, "NoSuchKey")
    missing = bucket_of(google, name="absent").blob("a.txt")
    url = missing.generate_signed_url(version="v4", expiration=timedelta(minutes=1), credentials=account(google))
    assert code_of("GET", url) == (404, "NoSuchBucket")
