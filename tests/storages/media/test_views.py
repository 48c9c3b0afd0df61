"""The resolver endpoints: who may read what, redirect or proxy, and what bad input gets."""

from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from storages.media.uris import encode
from tests.storages.media.asking import ROUTES, URI, address, content
from tests.storages.media.conftest import PICTURE


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
