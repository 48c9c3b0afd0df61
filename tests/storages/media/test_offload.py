"""What the application tells nginx about a transfer, and when it keeps the transfer to itself."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from storages.client import Capabilities
from storages.errors import AccessDenied, EgressDenied, NotFound, RangeNotSatisfiable, Unsupported
from storages.media import offload
from storages.media.stream import respond
from tests.storages.media.memory import MemoryClient

pytestmark = pytest.mark.django_db  # a closed answer tells Django to look after its connections
DATA = bytes(range(256)) * 4
SIZE, CAP = len(DATA), 100


class SigningClient(MemoryClient):
    """Signs URLs of ``base``; ``refuses``: what it raises instead. ``signatures`` counts."""

    capabilities = Capabilities(presign=True)
    base, life, signatures = "http://localhost:9000", 900, 0
    refuses: Exception | None = None

    def signed(self, key: str, ttl: int) -> tuple[str, int]:
        self.signatures += 1
        if self.refuses:
            raise self.refuses
        return f"{self.base}/box/{key}?signature=a%2Fb&x", min(ttl, self.life)


class Generations(SigningClient):
    """Its ETag is a number of its own."""

    capabilities = Capabilities(presign=True, if_match=False)


@pytest.fixture(autouse=True)
def behind_nginx(settings):
    settings.RESOLVER_PROXY_OFFLOAD, settings.RESOLVER_PROXY_MAX_RANGE_SIZE = "nginx", CAP


@pytest.fixture
def client() -> SigningClient:
    return SigningClient({"ds/a.png": DATA, "empty": b""})


def ask(client: MemoryClient, method: str = "GET", key: str = "ds/a.png", **headers: str):
    sent = {"X-Offload": "nginx"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return respond(RequestFactory().generic(method, "/", headers=sent), client, key, 7)


def handed_over(response: HttpResponse) -> bool:
    return "X-Accel-Redirect" in response


@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [
        (None, 200, None),
        ("bytes=0-0", 206, "bytes=0-0"),
        ("bytes=10-", 206, f"bytes=10-{10 + CAP - 1}"),
        ("bytes=-5", 206, f"bytes={SIZE - 5}-{SIZE - 1}"),
        (f"bytes={SIZE - 2}-{SIZE * 9}", 206, f"bytes={SIZE - 2}-{SIZE - 1}"),
        ("bytes=0-1,4-5", 200, None),
    ],
)
def test_nginx_is_told_where_what_and_which_version(client, asked, status, told):
    response = ask(client, **({"Range": asked} if asked else {}))
    assert (response.status_code, response.content) == (status, b"")
    assert response["X-Accel-Redirect"] == "/_media"
    assert response["X-Media-URL"] == "http://127.0.0.1:9000/box/ds/a.png?signature=a%2Fb&x"
    assert response["X-Media-Host"] == "localhost:9000"
    assert response["X-Media-If-Match"] == '"v1"'
    assert response["X-Media-Accept-Encoding"] == "identity"
    assert response.get("X-Media-Range") == told
    assert client.opens == 0


def test_headers_that_nginx_would_put_on_an_error_page_are_told_apart(client, settings):
    settings.RESOLVER_PROXY_OFFLOAD = ""
    plain = ask(client)
    settings.RESOLVER_PROXY_OFFLOAD = "nginx"
    response = ask(client)
    for name in ("Content-Type", "Content-Disposition", "Accept-Ranges", "Cache-Control"):
        assert name not in response
        assert response[f"X-Media-{name}"] == plain[name]
    for name in ("ETag", "Last-Modified", "Vary", "Content-Security-Policy", "X-Content-Type-Options"):
        assert response[name] == plain[name]


def test_the_usual_port_is_not_said_in_the_host_header(client):
    client.base = "https://localhost:443"
    response = ask(client)
    assert response["X-Media-Host"] == "localhost"
    assert response["X-Media-URL"].startswith("https://127.0.0.1:443/box/")


@pytest.mark.parametrize(("addresses", "taken"), [(["::1", "127.0.0.1"], "127.0.0.1"), (["::1"], "[::1]")])
def test_an_ipv4_address_is_preferred_and_an_ipv6_address_has_brackets(client, monkeypatch, addresses, taken):
    monkeypatch.setattr("storages.egress.resolve", lambda host, port: addresses)
    assert ask(client)["X-Media-URL"].startswith(f"http://{taken}:9000/")


def test_a_reserved_address_is_refused(client, settings):
    settings.SSRF_ALLOWED_NETWORKS = []
    with pytest.raises(EgressDenied):
        ask(client)


def test_a_store_whose_tag_is_a_number_of_its_own_is_asked_by_date(settings):
    client = Generations({"ds/a.png": DATA})
    response = ask(client)
    assert "X-Media-If-Match" not in response
    assert response["X-Media-If-Unmodified-Since"] == "Mon, 04 May 2026 12:30:16 GMT", "the object is of 12:30:15.25"
    client = Generations({"ds/a.png": DATA})
    client.modified = datetime(2026, 5, 4, tzinfo=UTC)
    assert ask(client)["X-Media-If-Unmodified-Since"] == "Mon, 04 May 2026 00:00:01 GMT"


def test_an_object_that_is_stored_encoded_is_asked_for_as_it_is_stored(client):
    info = client._info("ds/a.png")._replace(encoding="gzip")
    client.stat = lambda key: info
    response = ask(client)
    assert response["X-Media-Accept-Encoding"] == response["Content-Encoding"] == "gzip"


def test_what_needs_no_bytes_is_answered_here(client):
    tag = ask(client)["ETag"]
    assert ask(client, If_None_Match=tag).status_code == 304
    head = ask(client, "HEAD")
    assert (head.status_code, head["Content-Length"]) == (200, str(SIZE))
    with pytest.raises(RangeNotSatisfiable):
        ask(client, Range=f"bytes={SIZE}-")
    with pytest.raises(NotFound):
        ask(client, key="none")


@pytest.mark.parametrize(
    "change", ["off", "asked directly", "cannot sign", "version unknown", "weak tag", "short life", "address"]
)
def test_the_bytes_go_through_this_process_where_nginx_cannot_fetch_them(client, settings, change):
    sent = {}
    if change == "off":
        settings.RESOLVER_PROXY_OFFLOAD = ""
    elif change == "asked directly":
        sent = {"X_Offload": ""}
    elif change == "cannot sign":
        client = MemoryClient(client.objects)
    elif change in ("version unknown", "weak tag"):
        client.etag = "" if change == "version unknown" else 'W/"v1'
    elif change == "short life":
        client.life = 2
    else:
        client.base = "https://127.0.0.1:9000"
    response = ask(client, **sent)
    assert b"".join(response) == DATA
    assert not [name for name in response.headers if name.startswith(("X-Accel", "X-Media"))]


@pytest.mark.parametrize("kind", [Unsupported, AccessDenied])
def test_a_signer_that_refuses_is_asked_once_and_the_bytes_go_through_this_process(client, kind):
    client.refuses = kind("may not sign")
    for _ in range(3):
        assert b"".join(ask(client)) == DATA
    assert client.signatures == 1


def test_an_empty_object_is_nothing_to_hand_over(client):
    response = ask(client, key="empty")
    assert (response.status_code, response["Content-Length"], handed_over(response)) == (200, "0", False)


def test_ranges_of_one_object_cost_one_stat_and_one_signature_for_a_few_seconds(client, monkeypatch):
    for start in range(10):
        assert handed_over(ask(client, Range=f"bytes={start}-"))
    assert (client.stats, client.signatures) == (1, 1)
    assert handed_over(ask(SigningClient(client.objects)))
    assert client.stats == 1, "another client has its own"
    offload._kept.clear()
    ask(client)
    assert client.stats == 2


def test_an_unknown_way_to_offload_is_refused_at_start():
    env = os.environ | {"RESOLVER_PROXY_OFFLOAD": "apache", "DJANGO_SETTINGS_MODULE": "config.settings"}
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", "import config.settings"]
    started = subprocess.run(command, env=env, cwd=root, capture_output=True, text=True, timeout=60)
    assert "RESOLVER_PROXY_OFFLOAD='apache' is unknown" in started.stderr
