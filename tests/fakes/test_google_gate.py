"""The Google fake's storage lets only the right bearer do only what scopes and grants allow; faults and CORS as ordered."""

import json
import ssl
import time
from contextlib import nullcontext

import pytest
import requests
import urllib3
from google.api_core import exceptions

from tests.environment import tls_directory
from tests.fakes.google import GoogleFake
from tests.fakes.google import google_fixture as google_fixture
from tests.fakes.google_clients import account, bucket_of, call, error_of
from tests.fakes.google_tokens import CLOUD, FULL_CONTROL, IAM, READ_ONLY, READ_WRITE
from tests.fakes.tls import server_context

STRANGER = "stranger@harbour-tests.iam.gserviceaccount.com"
UPLOAD = "/upload/storage/v1/b/data/o?uploadType=media&name="
CALLS = {
    "storage.objects.list": ("GET", "/storage/v1/b/data/o"),
    "storage.objects.get": ("GET", "/storage/v1/b/data/o/a?alt=media"),
    "storage.objects.create": ("POST", UPLOAD + "new"),
    "storage.objects.delete": ("DELETE", "/storage/v1/b/data/o/a"),
    "storage.buckets.get": ("GET", "/storage/v1/b/data"),
}


@pytest.fixture(autouse=True)
def one_object(google):
    google.put("data", "a", b"0123456789")


@pytest.mark.parametrize(("token", "reason"), [("", "required"), ("garbage", "authError")])
@pytest.mark.parametrize(("method", "target"), [*CALLS.values(), ("GET", "/storage/v1/b/absent/o")])
def test_a_call_without_a_known_bearer_is_401(google, method, target, token, reason):
    answer = call(google, method, target, token, body=b"")
    assert error_of(answer) == (401, reason)
    assert json.loads(answer.data)["error"]["errors"][0]["location"] == "Authorization"
    assert google.keys("data") == ["a"]


def test_a_token_of_another_scheme_or_after_its_end_is_401(google):
    token = google.mint(seconds=60)
    assert call(google, "GET", "/storage/v1/b/data/o", "", Authorization=f"Basic {token}").status == 401
    assert call(google, "GET", "/storage/v1/b/data/o", token).status == 200
    google.advance(61)
    assert error_of(call(google, "GET", "/storage/v1/b/data/o", token)) == (401, "authError")
    lasting = google.mint(seconds=60)
    google.expire_tokens()
    assert error_of(call(google, "GET", "/storage/v1/b/data/o", lasting)) == (401, "authError")


@pytest.mark.parametrize("permission", CALLS)
def test_each_call_needs_its_own_permission_on_its_own_bucket(google, permission):
    google.create_bucket("other")
    google.grant(STRANGER, "other", *CALLS)
    google.grant(STRANGER, "data", *(set(CALLS) - {permission}))
    method, target = CALLS[permission]
    answer = call(google, method, target, google.mint(STRANGER), body=b"")
    assert error_of(answer) == (403, "forbidden")
    message = json.loads(answer.data)["error"]["message"]
    assert message.startswith(f"{STRANGER} does not have {permission} access to the Google Cloud Storage ")
    assert message.endswith(f"Permission '{permission}' denied on resource (or it may not exist).")
    google.grant(STRANGER, "data", permission)
    assert call(google, method, target, google.mint(STRANGER), body=b"").status in (200, 204)
    google.revoke(STRANGER, "data", permission)
    assert call(google, method, target, google.mint(STRANGER), body=b"").status == 403


def test_overwriting_needs_the_permission_to_delete_too(google):
    google.grant(STRANGER, "data", "storage.objects.create", "storage.objects.get", "storage.objects.list")
    token = google.mint(STRANGER)
    assert call(google, "POST", UPLOAD + "b", token, body=b"1").status == 200
    assert "storage.objects.delete" in call(google, "POST", UPLOAD + "b", token, body=b"2").data.decode()
    opened = call(google, "POST", UPLOAD.replace("media", "resumable") + "c", token)
    google.put("data", "c", b"meanwhile")
    target = opened.headers["Location"].removeprefix(google.api_url)
    assert call(google, "PUT", target, "", body=b"12", Content_Range="bytes 0-1/2").status == 403
    assert (google.get("data", "b"), google.get("data", "c")) == (b"1", b"meanwhile")


@pytest.mark.parametrize(
    ("scope", "reads", "writes"),
    [(CLOUD, 200, 200), (FULL_CONTROL, 200, 200), (READ_WRITE, 200, 200), (READ_ONLY, 200, 403), (IAM, 403, 403)],
)
def test_the_scopes_of_a_token_bound_what_it_may_do(google, scope, reads, writes):
    token = google.mint(scopes=[scope])
    assert call(google, "GET", "/storage/v1/b/data/o", token).status == reads
    assert call(google, "GET", "/storage/v1/b/data/o/a", token).status == reads
    assert call(google, "POST", UPLOAD + "b", token, body=b"x").status == writes
    assert call(google, "DELETE", "/storage/v1/b/data/o/a", token).status == (204 if writes == 200 else 403)
    with pytest.raises(exceptions.Forbidden) if writes == 403 else nullcontext():
        bucket_of(google, account(google, scopes=(scope,))).blob("c").upload_from_string(b"x")


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/storage/v1/b/absent/o"),
        ("GET", "/storage/v1/b/absent/o/a"),
        ("POST", "/upload/storage/v1/b/absent/o?uploadType=media&name=x"),
        ("GET", "/storage/v1/b/absent/iam/testPermissions?permissions=storage.objects.get"),
        ("GET", "/storage/v1/b/data/o/absent?alt=media"),
        ("DELETE", "/storage/v1/b/data/o/absent"),
        ("GET", "/storage/v1/nonsense"),
    ],
)
def test_what_does_not_exist_is_404(google, method, target):
    assert error_of(call(google, method, target, body=b"")) == (404, "notFound")


@pytest.mark.parametrize("target", ["?uploadType=other&name=x", "?name=x", "?uploadType=multipart&name=x"])
def test_an_upload_of_no_known_kind_is_refused(google, target):
    answer = call(google, "POST", f"/upload/storage/v1/b/data/o{target}", body=b"no parts")
    assert (answer.status, google.keys("data")) == (400, ["a"])


def test_permissions_can_be_asked_for_without_touching_anything(google):
    asked = ["storage.objects.create", "storage.objects.delete", "storage.buckets.get"]
    assert bucket_of(google).test_iam_permissions(asked) == asked[:2]
    assert bucket_of(google, account(google, STRANGER)).test_iam_permissions(asked) == []
    assert bucket_of(google, account(google, scopes=(READ_ONLY,))).test_iam_permissions(asked) == []


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        (None, "https://ls.example", None),
        (["https://ls.example"], "https://ls.example", "https://ls.example"),
        (["https://ls.example"], "https://evil.example", None),
        (["*"], "https://any.example", "*"),
        (["*"], None, None),
    ],
)
def test_browsers_are_let_in_by_the_rule_of_the_bucket_alone(google, origins, origin, allowed):
    google.set_cors("data", origins)
    headers = {"Origin": origin, "Access_Control_Request_Method": "GET"} if origin else {}
    preflight = call(google, "OPTIONS", "/data/a", "", **headers)
    assert (preflight.status, preflight.headers["Access-Control-Allow-Origin"]) == (200, allowed)
    assert ("Range" in (preflight.headers["Access-Control-Allow-Headers"] or "")) == (allowed is not None)
    assert call(google, "GET", "/data/a", **headers).headers["Access-Control-Allow-Origin"] == allowed


def test_ordered_failures_are_worded_as_each_service_words_them(google):
    google.fail_next(1, 429, "rateLimitExceeded", match="/b/data", headers={"Retry-After": "7"})
    limited = call(google, "GET", "/storage/v1/b/data/o")
    assert (error_of(limited), limited.headers["Retry-After"]) == ((429, "rateLimitExceeded"), "7")
    google.fail_next(1, 503, "ServiceUnavailable")
    assert b"<Code>ServiceUnavailable</Code>" in call(google, "GET", "/data/a").data
    google.fail_next(1, 503, "UNAVAILABLE")
    answer = requests.post(f"{google.iam_url}/v1/projects/-/serviceAccounts/x:signBlob", timeout=5)
    assert (answer.status_code, answer.json()["error"]["status"]) == (503, "UNAVAILABLE")
    google.fail_next(1, 500, "internal_failure")
    assert requests.post(google.token_url, timeout=5).json()["error"] == "internal_failure"
    assert call(google, "GET", "/storage/v1/b/data/o").status == 200
    assert [entry.service for entry in google.requests] == ["storage", "storage", "iam", "oauth", "storage"]


def test_a_delay_a_cut_and_a_refusal_reach_the_client(google):
    google.delay(0.3, match="/o/a", n=1)
    started = time.monotonic()
    call(google, "GET", "/storage/v1/b/data/o/a")
    assert time.monotonic() - started >= 0.3
    google.cut_body_after(4, match="/o/a", n=1)
    url, headers = f"{google.api_url}/storage/v1/b/data/o/a?alt=media", {"Authorization": f"Bearer {google.mint()}"}
    with pytest.raises(urllib3.exceptions.ProtocolError):
        urllib3.request("GET", url, headers=headers, retries=False)
    google.refuse_all()
    with pytest.raises(urllib3.exceptions.ProtocolError):
        urllib3.request("GET", url, headers=headers, retries=False)
    google.heal()
    assert urllib3.request("GET", url, headers=headers).data == b"0123456789"


def test_the_services_can_speak_tls():
    with GoogleFake(tls=server_context(tls_directory())) as fake:
        fake.create_bucket("data")
        headers = {"Authorization": f"Bearer {fake.mint()}"}
        pool = urllib3.PoolManager(ssl_context=ssl.create_default_context(cafile=str(tls_directory() / "ca.pem")))
        opened = pool.request("POST", f"{fake.api_url}/upload/storage/v1/b/data/o?uploadType=resumable&name=x", headers=headers)
        assert (opened.status, opened.headers["Location"].startswith(fake.api_url)) == (200, True)
        assert fake.api_url.startswith("https://") and fake.sts_url.startswith("https://")


def test_two_clouds_share_neither_tokens_nor_objects(google):
    with GoogleFake() as other:
        other.create_bucket("data")
        assert other.keys("data") == []
        assert call(other, "GET", "/storage/v1/b/data/o", google.mint()).status == 401
