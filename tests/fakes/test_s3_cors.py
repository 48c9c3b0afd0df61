"""The S3 fake answers preflights by the bucket's CORS rule and marks no answer that no rule covers."""

import pytest

from tests.fakes.s3 import S3Fake
from tests.fakes.s3_clients import Answer, fetch, signed_url

PAGE = "https://label.example"


def preflight(store: S3Fake, path: str = "/data/a.txt", **headers: str) -> Answer:
    return fetch("OPTIONS", store.url + path, {name.replace("_", "-"): value for name, value in headers.items()})


def code_of(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.data.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()


def test_a_bucket_without_a_rule_lets_no_page_in(store):
    answer = preflight(store, Origin=PAGE, Access_Control_Request_Method="GET")
    assert (*code_of(answer), b"CORSResponse: CORS is not enabled" in answer.data) == (403, "AccessForbidden", True)
    got = fetch("GET", signed_url(store), {"Origin": PAGE})
    assert (got.status, [name for name in got.headers if name.lower().startswith("access-control")]) == (200, [])


@pytest.mark.parametrize(
    ("origins", "allowed"), [([PAGE], PAGE), (["http://other", PAGE], PAGE), (["https://*.example"], PAGE), (["*"], "*")]
)
def test_a_matching_rule_lets_the_page_ask_and_read(store, origins, allowed):
    store.set_cors("data", origins)
    answer = preflight(store, Origin=PAGE, Access_Control_Request_Method="GET")
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, allowed)
    assert (answer.headers["access-control-allow-methods"], answer.headers["access-control-max-age"]) == ("GET, HEAD", "3000")
    assert ("access-control-allow-credentials" in answer.headers) == (allowed != "*")
    got = fetch("GET", signed_url(store), {"Origin": PAGE})
    assert (got.data, got.headers["access-control-allow-origin"]) == (b"0123456789", allowed)
    assert "access-control-allow-origin" not in fetch("GET", signed_url(store)).headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Access_Control_Request_Method": "GET"},
        {"Origin": PAGE + ".evil", "Access_Control_Request_Method": "GET"},
        {"Origin": "https://label-example", "Access_Control_Request_Method": "GET"},
        {"Origin": PAGE, "Access_Control_Request_Method": "PUT"},
        {"Origin": PAGE, "Access_Control_Request_Method": "GET", "Access_Control_Request_Headers": "x-own"},
    ],
    ids=["origin", "longer origin", "dot is a dot", "method", "header"],
)
def test_what_no_rule_covers_is_forbidden(store, headers):
    store.set_cors("data", [PAGE])
    answer = preflight(store, **headers)
    assert (*code_of(answer), b"This CORS request is not allowed" in answer.data) == (403, "AccessForbidden", True)
    assert "access-control-allow-origin" not in answer.headers


def test_another_origin_reads_without_the_mark_that_browsers_need(store):
    store.set_cors("data", [PAGE])
    answer = fetch("GET", signed_url(store), {"Origin": "https://evil.example"})
    assert (answer.status, "access-control-allow-origin" in answer.headers) == (200, False)


def test_a_refusal_carries_the_mark_too(store):
    store.set_cors("data", [PAGE])
    answer = fetch("GET", f"{store.url}/data/a.txt", {"Origin": PAGE})
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (403, PAGE)


def test_allowed_headers_are_repeated(store):
    store.set_cors("data", [PAGE], headers=["x-*", "Range"])
    asked = {"Access_Control_Request_Method": "GET", "Access_Control_Request_Headers": "Range, X-Own"}
    assert preflight(store, Origin=PAGE, **asked).headers["access-control-allow-headers"] == "range, x-own"


@pytest.mark.parametrize("headers", [{"Origin": PAGE}, {"Access_Control_Request_Method": "GET"}])
def test_a_preflight_without_its_headers_is_a_bad_request(store, headers):
    store.set_cors("data", ["*"])
    assert code_of(preflight(store, **headers)) == (400, "BadRequest")


def test_a_rule_ends_when_it_is_taken_back_and_holds_for_its_bucket_only(store):
    store.create_bucket("other")
    store.set_cors("data", [PAGE])
    asked = {"Origin": PAGE, "Access_Control_Request_Method": "GET"}
    assert preflight(store, "/other/a.txt", **asked).status == 403
    assert code_of(preflight(store, "/nowhere/a.txt", **asked)) == (404, "NoSuchBucket")
    store.set_cors("data", [])
    assert preflight(store, **asked).status == 403
