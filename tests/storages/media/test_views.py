"""The resolver endpoints: who may read what, redirect or proxy, and what bad input gets."""

import base64
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from projects.models import Project
from storages.media.uris import encode
from tests.storages.media.conftest import PICTURE

KEY = "ds/1.png"
URI = f"s3://data/{KEY}"
ROUTES = ["/tasks/{task}/resolve/", "/tasks/{task}/presign/", "/projects/{project}/resolve/", "/projects/{project}/presign/"]


@pytest.fixture
def task(make_task, s3):
    s3.put("data", KEY, PICTURE, "image/png")
    return make_task({"image": URI})


def address(route: str, task, fileuri: str = encode(URI)) -> str:
    return route.format(task=task.pk, project=task.project_id) + f"?fileuri={quote(fileuri)}"


def content(response) -> bytes:
    return b"".join(response.streaming_content)


def assert_envelope(response, status: int) -> None:
    assert response.status_code == status
    assert response.json()["status_code"] == status
    assert response.json()["detail"]


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_redirects_to_a_signed_url_that_loads_the_object(api, task, source, route):
    source(prefix="ds", presign_ttl=15)
    response = api.get(address(route, task))
    assert response.status_code == 303
    assert response["Cache-Control"] == "private, max-age=840"
    assert response["Referrer-Policy"] == "no-referrer"
    assert parse_qs(urlsplit(response["Location"]).query)["X-Amz-Expires"] == ["900"]
    assert requests.get(response["Location"], timeout=5).content == PICTURE


@pytest.mark.parametrize(("minutes", "seconds"), [(0, 60), (1, 60), (32767, 604800)])
def test_a_signed_url_lives_at_least_a_minute_and_at_most_a_week(api, task, source, minutes, seconds):
    source(presign_ttl=minutes)
    response = api.get(address(ROUTES[0], task))
    assert parse_qs(urlsplit(response["Location"]).query)["X-Amz-Expires"] == [str(seconds)]
    assert response["Cache-Control"] == f"private, max-age={seconds - 60}"


@pytest.mark.parametrize("route", ROUTES)
def test_without_presigning_every_route_streams_the_object(api, task, source, route):
    source(prefix="ds", presign=False)
    response = api.get(address(route, task))
    assert (response.status_code, response["Content-Type"], content(response)) == (200, "image/png", PICTURE)
    part = api.get(address(route, task), headers={"Range": "bytes=-10"})
    assert (part.status_code, content(part)) == (206, PICTURE[-10:])
    assert part["Content-Range"] == f"bytes {len(PICTURE) - 10}-{len(PICTURE) - 1}/{len(PICTURE)}"
    assert api.get(address(route, task), headers={"If-None-Match": response["ETag"]}).status_code == 304


@pytest.mark.parametrize("presign", [True, False])
def test_head_is_answered_here_because_a_signed_url_allows_get_only(api, task, source, presign):
    source(presign=presign)
    response = api.head(address(ROUTES[0], task))
    assert (response.status_code, response["Content-Length"], response.content) == (200, str(len(PICTURE)), b"")


@pytest.mark.parametrize("slash", ["/", ""])
def test_the_slash_before_the_query_is_optional(api, task, source, slash):
    source()
    assert api.get(f"/tasks/{task.pk}/resolve{slash}?fileuri={encode(URI)}").status_code == 303


def test_a_browser_is_let_in_by_its_session_and_any_accept_header(alice, task, source):
    source(presign=False)
    browser = Browser()
    browser.force_login(alice)
    assert browser.get(address(ROUTES[0], task), headers={"Accept": "image/avif,image/webp"}).status_code == 200


@pytest.mark.parametrize("presign", [True, False])
def test_a_request_costs_few_queries_however_many_storages_there_are(alice, task, source, presign):
    for number in range(6):
        source(prefix=f"other{number}")
    source(prefix="ds", presign=presign)
    browser = Browser()
    browser.force_login(alice)
    with CaptureQueriesContext(connection) as queries:
        browser.get(address(ROUTES[0], task)).close()
    assert len(queries) <= 5, [query["sql"] for query in queries]


# isolation: occurrence in the task, container and root, organization


@pytest.mark.parametrize("route", ROUTES)
def test_another_organization_sees_neither_task_nor_project(stranger, task, source, route):
    source()
    assert_envelope(stranger.get(address(route, task)), 404)
    assert_envelope(stranger.get(address(route, task), headers={"Range": "bytes=0-1"}), 404)


@pytest.mark.parametrize("route", ROUTES)
def test_without_signing_in_nothing_is_told(client, task, source, route):
    source()
    response = client.get(address(route, task))
    assert_envelope(response, 401)
    assert response["WWW-Authenticate"] == "Token"


def test_a_stranger_cannot_borrow_our_bucket_through_a_task_of_their_own(stranger, charlie, make_task, task, source):
    source()
    theirs = Project.objects.create(title="Theirs", organization=charlie.active_organization)
    assert_envelope(stranger.get(address(ROUTES[0], make_task({"image": URI}, project=theirs))), 404)
    assert_envelope(stranger.get(f"/projects/{theirs.pk}/resolve/?fileuri={encode(URI)}"), 404)


@pytest.mark.parametrize("route", ROUTES[:2])
def test_a_task_serves_only_the_uris_in_its_own_data(api, task, source, make_task, s3, route):
    source()
    s3.put("data", "ds/2.png", PICTURE)
    other = make_task({"image": "s3://data/ds/2.png"})
    assert_envelope(api.get(address(route, task, encode("s3://data/ds/2.png"))), 404)
    assert api.get(address(route, other, encode("s3://data/ds/2.png"))).status_code == 303
    assert_envelope(api.get(address(route, task, encode("s3://data/ds/1"))), 404)


@pytest.mark.parametrize(
    "data",
    [
        {"$undefined$": URI},
        {"a": [{"b": ["x", URI]}]},
        [URI],
        {"html": f'<p><img src="s3://data/ds/0.png"><img src="{URI}"></p>'},
        {"text": f"look at {URI}."},
    ],
)
def test_a_uri_may_lie_anywhere_in_the_tasks_data(api, task, source, make_task, data):
    source()
    assert api.get(address(ROUTES[0], make_task(data))).status_code == 303


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "uri",
    [
        "s3://data/ds-private/1.png",
        "s3://data/secret.png",
        "s3://data/ds/../secret.png",
        "s3://data/ds/./1.png",
        "s3://data/dsx",
        "s3://data/ds/",
        "s3://elsewhere/ds/1.png",
        "gs://data/ds/1.png",
        "file:///etc/passwd",
    ],
)
def test_nothing_outside_the_storages_bucket_and_prefix_is_served_even_if_a_task_names_it(api, source, make_task, s3, route, uri):
    s3.put("data", "secret.png", PICTURE)
    s3.put("data", "ds-private/1.png", PICTURE)
    source(prefix="ds", presign=False)
    assert_envelope(api.get(address(route, make_task({"image": uri}), encode(uri))), 404)
    assert s3.requests == []


ODD_KEYS = ["a b.png", "a?b#c.png", "100%.png", "a%20b.png", "a+b&c=d.png", "ü/日本.png", "x//y.png", 'it\'s "q".png', "s3://x"]


@pytest.mark.parametrize("presign", [True, False])
@pytest.mark.parametrize("name", ODD_KEYS)
def test_every_legal_key_loads(api, source, make_task, s3, name, presign):
    source(prefix="ds", presign=presign)
    s3.put("data", f"ds/{name}", PICTURE)
    uri = f"s3://data/ds/{name}"
    response = api.get(address(ROUTES[0], make_task({"image": uri}), encode(uri)))
    loaded = requests.get(response["Location"], timeout=5).content if presign else content(response)
    assert loaded == PICTURE


# bad input


@pytest.mark.parametrize(
    "query", ["", "?fileuri=", "?fileuri=%20", "?fileuri=abc", "?fileuri=%FF%FE", "?fileuri=aGVsbG8=", "?d=x"]
)
@pytest.mark.parametrize("route", ROUTES)
def test_a_fileuri_that_is_missing_or_no_uri_is_400(api, task, route, query):
    assert_envelope(api.get(route.format(task=task.pk, project=task.project_id) + query), 400)


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
