"""No setting leads a connection of ours to an address that the operator did not allow, at save or at any time later."""

import ipaddress
import socket
from collections.abc import Callable, Iterator

import pytest
import requests

from storages import egress, errors
from storages.base import ExportStorage
from storages.runs import ImportRun
from tasks.models import Task
from tests.fakes.wire import Request, Response, Server

pytestmark = pytest.mark.django_db(transaction=True)
REFUSED = [
    ("127.0.0.1", "127.0.0.0/8"), ("localhost", "127.0.0.0/8"), ("0.0.0.0", "0.0.0.0/8"), ("10.0.0.1", "10.0.0.0/8"),
    ("172.16.0.1", "172.16.0.0/12"), ("192.168.1.1", "192.168.0.0/16"), ("169.254.169.254", "169.254.0.0/16"),
    ("100.100.100.200", "100.64.0.0/10"), ("192.0.0.192", "192.0.0.0/24"), ("168.63.129.16", "168.63.129.16/32"),
    ("224.0.0.1", "224.0.0.0/4"), ("255.255.255.255", "240.0.0.0/4"), ("[::1]", "::/96"), ("[::]", "::/96"),
    ("[::127.0.0.1]", "::/96"), ("[fd00:ec2::254]", "fc00::/7"), ("[::ffff:127.0.0.1]", "127.0.0.0/8"),
    ("[::ffff:a9fe:a9fe]", "169.254.0.0/16"), ("[64:ff9b::7f00:1]", "64:ff9b::/96"), ("[2002:7f00:1::]", "2002::/16"),
    ("[fe80::1%lo]", "fe80::/10"), ("[fec0::1]", "fec0::/10"), ("2130706433", "127.0.0.0/8"), ("0177.0.0.1", "127.0.0.0/8"),
    ("0x7f.1", "127.0.0.0/8"), ("127.1", "127.0.0.0/8"),
]  # fmt: skip
MARKER = "upstreamMARKERtext"


@pytest.fixture(autouse=True)
def fresh_connections() -> Iterator[None]:
    """A connection that is open already is not looked up again."""
    egress.shared_pool.cache_clear()
    yield
    egress.shared_pool.cache_clear()


@pytest.fixture
def locked(settings) -> Callable[[], None]:
    """The operator allows no reserved network any more."""

    def lock() -> None:
        settings.SSRF_ALLOWED_NETWORKS = []
        egress.shared_pool.cache_clear()

    return lock


@pytest.fixture
def names(monkeypatch) -> dict[str, list]:
    """DNS: a name's answers, one list of addresses per look-up (the last one stays); literals resolve as ever."""
    table: dict[str, list] = {}
    real = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **kwargs):
        if host not in table:
            return real(host, port, *args, **kwargs)
        answers = table[host].pop(0) if len(table[host]) > 1 else table[host][0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return table


def refusal(answer, block):
    assert answer.status_code == 403, answer.content
    body = answer.json()
    assert body["status_code"] == 403 and body["detail"].startswith(
        f"URL resolves to a reserved network address (block: {block})"
    )
    assert "SSRF_ALLOWED_NETWORKS" in body["detail"]


@pytest.mark.parametrize(("host", "block"), REFUSED)
def test_a_reserved_address_is_refused_however_it_is_written(api, s3, s3_settings, create, locked, host, block):
    pk = create("s3", s3_settings)["id"]
    s3.requests.clear()
    locked()
    for scheme in ("http", "https"):
        broken = s3_settings | {"s3_endpoint": f"{scheme}://{host}:{s3.url.rpartition(':')[2]}"}
        for route in ("s3/", "s3/validate", "s3/files", "export/s3", "export/s3/validate"):
            refusal(api.post(f"/api/storages/{route}", broken), block)
        refusal(api.patch(f"/api/storages/s3/{pk}", broken), block)
        refusal(api.put(f"/api/storages/s3/{pk}", broken), block)
    assert s3.requests == []
    assert api.get(f"/api/storages/s3/{pk}").json()["s3_endpoint"] == s3.url


def test_every_later_connection_is_vetted_again(api, s3, s3_settings, create, sync, work, locked, project):
    s3.put("data", "a.png", b"x")
    source = create("s3", s3_settings, use_blob_urls=True, presign=False)["id"]
    target = create("export/s3", s3_settings)["id"]
    sync("s3", source)
    task = Task.objects.get()
    link = api.get(f"/api/tasks/{task.pk}/").json()["data"]["image"]
    api.post(f"/api/storages/s3/{source}/sync")
    api.post(f"/api/tasks/{task.pk}/annotations/", {"result": []})
    locked()
    s3.requests.clear()
    work()
    run = ImportRun.objects.order_by("-id").first()
    assert (run.state, run.error_code) == ("failed", "egress_denied") and "reserved network" in run.error
    for route, pk in (("s3", source), ("export/s3", target)):
        refusal(api.post(f"/api/storages/{route}/{pk}/sync"), "127.0.0.0/8")
        stored = api.get(f"/api/storages/{route}/{pk}").json()
        assert stored["status"] == "failed" and "reserved network" in stored["traceback"]
        refusal(api.post(f"/api/storages/{route}/validate", s3_settings | {"id": pk}), "127.0.0.0/8")
    refusal(api.post("/api/storages/s3/files", s3_settings | {"id": source}), "127.0.0.0/8")
    refusal(api.get(link), "127.0.0.0/8")
    assert s3.requests == []


def test_one_reserved_address_among_public_ones_is_enough(api, s3_settings, names, locked):
    names["mixed.example"] = [["93.184.216.34", "10.1.2.3"]]
    locked()
    refusal(api.post("/api/storages/s3/", s3_settings | {"s3_endpoint": "http://mixed.example"}), "10.0.0.0/8")


def test_a_second_dns_answer_leads_nowhere_else(api, s3_settings, names, settings):
    """The name is looked up once per connection, and the connection goes to what was vetted."""
    settings.SSRF_ALLOWED_NETWORKS = [ipaddress.ip_network("127.0.0.1/32")]
    body, reached = b"<ListBucketResult></ListBucketResult>", []
    with Server(lambda request: reached.append(request) or Response(200, {"Content-Length": str(len(body))}, body)) as server:
        endpoint = {"s3_endpoint": server.url.replace("127.0.0.1", "rebound.example")}
        names["rebound.example"] = [["127.0.0.1"], ["127.0.0.2"]]
        refusal(api.post("/api/storages/export/s3/validate", s3_settings | endpoint), "127.0.0.0/8")
        assert [request.method for request in reached] == ["GET"], "the second connection, to write, was vetted anew"
        reached.clear()
        names["rebound.example"] = [["127.0.0.1"], ["127.0.0.2"]]
        answer = api.post("/api/storages/s3/files", s3_settings | endpoint)
        assert answer.status_code == 200 and len(reached) == 1, answer.content
        assert names["rebound.example"] == [["127.0.0.2"]], "one look-up, which names the address that was connected to"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(api, s3_settings, status):
    reached: list[Request] = []
    with Server(lambda request: reached.append(request) or Response(200)) as private:
        with Server(lambda request: Response(status, {"Location": f"{private.url}/latest/", "Content-Length": "0"})) as front:
            for route in ("s3/", "s3/validate", "s3/files", "export/s3"):
                answer = api.post(f"/api/storages/{route}", s3_settings | {"s3_endpoint": front.url})
                assert answer.status_code == 400 and private.url not in answer.content.decode()
            response = egress.pool().request("GET", front.url)
            assert response.status == status
            with pytest.raises(requests.TooManyRedirects):
                egress.session().get(front.url)
    assert reached == []


def test_proxies_and_netrc_of_the_environment_are_not_used(api, s3, s3_settings, monkeypatch, tmp_path):
    seen: list[Request] = []
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login thief password thief\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with Server(lambda request: seen.append(request) or Response(502)) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert api.post("/api/storages/s3/", s3_settings).status_code == 201
        with Server(
            lambda request: Response(200, {"X-Seen": request.header("authorization") or "none", "Content-Length": "0"})
        ) as end:
            assert egress.session().get(end.url).headers["X-Seen"] == "none"
    assert seen == []


BODIES = [
    f"<html>{MARKER}</html>",
    f"<Error><Code>{MARKER}</Code><Message>{MARKER}</Message><Region>{MARKER}</Region></Error>",
    f"<Error><Code>PermanentRedirect</Code><Region>{MARKER}</Region></Error>",
    f"<Error><Code>KMS.{MARKER}</Code></Error>",
    f"<ListBucketResult><Contents><Size>{MARKER}</Size></Contents></ListBucketResult>",
    f"<ListBucketResult><Contents><Key>a</Key><Size>{MARKER}</Size></Contents></ListBucketResult>",
    f"<ListBucketResult><Contents><Key>a</Key><LastModified>{MARKER}</LastModified></Contents></ListBucketResult>",
    f'<!DOCTYPE x [<!ENTITY e "{MARKER}">]><ListBucketResult>&e;</ListBucketResult>',
    '{"' + MARKER + '": 1}',
]


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 418])
@pytest.mark.parametrize("body", BODIES)
def test_what_another_server_answers_is_never_quoted(api, s3_settings, project, status, body):
    headers = {"Content-Length": str(len(body)), "x-amz-bucket-region": MARKER, "X-Secret": MARKER, "Content-Type": "text/xml"}
    with Server(lambda request: Response(status, headers, body.encode())) as other:
        for route in ("s3/", "s3/validate", "s3/files"):
            answer = api.post(f"/api/storages/{route}", s3_settings | {"s3_endpoint": other.url})
            assert answer.status_code == 400, answer.content
            assert MARKER not in answer.content.decode()
    assert not ExportStorage.objects.exists()


def test_an_endpoint_cannot_put_our_threads_to_sleep(api, s3_settings, monkeypatch):
    naps: list[float] = []
    monkeypatch.setattr("time.sleep", naps.append)
    monkeypatch.setattr("storages.api.preview.TIME_LIMIT", 2)
    with Server(lambda request: Response(503, {"Retry-After": "86400", "Content-Length": "0"})) as slow:
        assert api.post("/api/storages/s3/validate", s3_settings | {"s3_endpoint": slow.url}).status_code == 400
        assert naps == [], "a connection check makes one attempt"
        assert api.post("/api/storages/s3/files", s3_settings | {"s3_endpoint": slow.url}).status_code == 400
    assert naps == [], "a day is not waited for"
    with Server(lambda request: Response(503, {"Retry-After": "7", "Content-Length": "0"})) as slow:
        assert api.post("/api/storages/s3/files", s3_settings | {"s3_endpoint": slow.url}).status_code == 400
    assert naps and max(naps) <= 10


@pytest.mark.parametrize(
    "endpoint",
    ["http://", "http://[::1", "http://[]", "http://.", "http://..", "http://a..b", f"http://{'a' * 64}.example", "http://ex ample",
     "http://a\\@127.0.0.1", "http://[fe80::1%25lo]", "http://%31", "http://h:0", "http://h:-1", "http://h:x", "//127.0.0.1",
     "http:127.0.0.1", "file:///etc/passwd", "gopher://127.0.0.1", f"http://{'a.' * 150}example", "http://\x01", "http://h/path"],
)  # fmt: skip
def test_an_endpoint_that_is_no_address_gets_a_400(api, s3_settings, endpoint):
    for route in ("s3/validate", "s3/files", "export/s3/validate"):
        answer = api.post(f"/api/storages/{route}", s3_settings | {"s3_endpoint": endpoint})
        assert answer.status_code in (400, 403) and answer.json()["status_code"] == answer.status_code, answer.content


def test_the_session_makes_the_same_vetted_connections(settings, names):
    with Server(lambda request: Response(200, {"Content-Length": "0"})) as server:
        assert egress.session().get(server.url).status_code == 200
        settings.SSRF_ALLOWED_NETWORKS = []
        with pytest.raises(errors.EgressDenied):
            egress.session().get(server.url)


def test_the_guard_can_be_switched_off_by_the_operator(api, s3_settings, settings):
    settings.SSRF_ALLOWED_NETWORKS, settings.SSRF_PROTECTION_ENABLED = [], False
    assert api.post("/api/storages/s3/", s3_settings).status_code == 201
