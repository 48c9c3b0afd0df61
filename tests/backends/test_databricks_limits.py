"""How the client treats a workspace: tokens renewed in time, TLS, time limits, few requests at once, patience when asked."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from storages import egress
from storages.doctor import examine
from storages.errors import BadCredentials, Throttled, Unavailable
from storages.providers import tokens
from storages.providers.databricks.client import CHECKS, WORK
from tests.backends.databricks_volume import ROOT, SECRET, client_of, enrol, entra_sign_ins, keys, sign_ins
from tests.backends.databricks_volume import azure as azure  # noqa: F401 - the fixture
from tests.backends.databricks_volume import entra as entra  # noqa: F401 - the fixture
from tests.backends.databricks_volume import fake as fake  # noqa: F401 - the fixture
from tests.fakes.databricks import DatabricksFake

NAMES = [f"{folder}/{number}" for folder in ("a", "b", "c") for number in range(6)]


@pytest.fixture
def planted(fake: DatabricksFake) -> DatabricksFake:
    for name in NAMES:
        fake.put(f"{ROOT}/{name}", b"x" * 100)
    return fake


def refusals(fake: DatabricksFake) -> int:
    return sum(request.status in (401, 403) for request in fake.requests)


def test_one_token_serves_all_clients_with_the_same_secret(planted):
    for _ in range(3):
        assert keys(client_of(planted, "dbx_sp")) == NAMES
    assert (sign_ins(planted), refusals(planted)) == (1, 0)


def test_another_storage_with_a_wrong_secret_does_not_get_the_token(planted):
    keys(client_of(planted, "dbx_sp"))
    with pytest.raises(BadCredentials) as error:
        keys(client_of(planted, "dbx_sp", client_secret="a guess"))
    assert error.value.field == "client_secret" and sign_ins(planted) == 2


@pytest.mark.parametrize("expires_in", [1, 30, 3600])
def test_a_token_is_renewed_before_it_expires(planted, expires_in):
    planted.oauth.expires_in = expires_in
    client = client_of(planted, "dbx_sp")
    keys(client)
    time.sleep(0.6)  # more than half of the shortest life
    keys(client)
    assert (sign_ins(planted), refusals(planted)) == (2 if expires_in == 1 else 1, 0)


@pytest.mark.parametrize("method", ["dbx_sp", "azure_ad_sp"])
def test_a_token_that_expires_during_a_listing_is_replaced(azure, entra, monkeypatch, method):
    monkeypatch.setattr(tokens, "FRESH", 0)
    for name in NAMES:
        azure.put(f"{ROOT}/{name}", b"x")
    pages = client_of(azure, method).list(recursive=True)
    seen = [item.key for item in next(pages).objects]
    azure.advance(4000)
    entra.advance(4000)
    assert seen + [item.key for page in pages for item in page.objects] == NAMES
    assert sign_ins(azure) + entra_sign_ins(entra) == 2 and refusals(azure) == 1


def test_sixteen_threads_ask_for_one_token_and_for_one_more_when_it_expired(planted, monkeypatch):
    monkeypatch.setattr(tokens, "FRESH", 0.2)
    planted.delay(0.1, match="/oidc/")
    client = client_of(planted, "dbx_sp")
    for wanted in (1, 2):
        with ThreadPoolExecutor(16) as threads:
            sizes = list(threads.map(lambda number: client.stat(NAMES[number]).size, range(16)))
        assert (sizes, sign_ins(planted)) == ([100] * 16, wanted)
        planted.advance(4000)
        time.sleep(0.25)


def test_a_fresh_token_that_is_rejected_is_not_asked_for_again(planted):
    client = client_of(planted, "dbx_sp")
    client.stat(NAMES[0])
    planted.revoke_tokens()
    for _ in range(3):
        with pytest.raises(BadCredentials):
            keys(client)
    assert sign_ins(planted) == 1


def test_a_personal_token_that_is_rejected_is_not_shown_again(planted):
    client = client_of(planted)
    planted.revoke_tokens()
    with pytest.raises(BadCredentials):
        keys(client)
    assert len(planted.requests) == 1


@pytest.fixture
def untrusted(settings) -> Iterator[DatabricksFake]:
    """A workspace whose certificate comes from an authority that the service does not know."""
    settings.EXTRA_CA_CERTS = ""
    caches = (egress.tls, egress.shared_pool)
    for cache in caches:
        cache.cache_clear()
    with DatabricksFake(tls=True) as fake:
        yield enrol(fake)
    for cache in caches:
        cache.cache_clear()


@pytest.mark.parametrize("method", ["pat", "dbx_sp"])
def test_a_certificate_that_is_not_trusted_ends_the_connection(untrusted, method):
    with pytest.raises(Unavailable, match="certificate"):
        keys(client_of(untrusted, method))
    error = examine(lambda: client_of(untrusted, method), {"list"}).error
    assert "certificate" in str(error) and untrusted.requests == []


@pytest.mark.parametrize("method", ["pat", "dbx_sp"])
def test_a_certificate_need_not_be_trusted_where_that_is_said(untrusted, method):
    client = client_of(untrusted, method, verify_tls=False)
    client.write("a", b"x")
    assert keys(client) == ["a"]
    assert examine(lambda: client_of(untrusted, method, verify_tls=False), {"list", "read"}).error is None


@pytest.mark.parametrize("method", ["pat", "dbx_sp"])
def test_the_environment_decides_neither_trust_nor_identity(method, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login someone password else\n")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with DatabricksFake(tls=True) as fake:
        assert keys(client_of(enrol(fake), method)) == []


@pytest.mark.parametrize("path", ["/fs/", "/oidc/"])
def test_a_workspace_that_hangs_is_given_up_after_the_set_time(planted, path):
    planted.delay(3, match=path)
    began = time.monotonic()
    error = examine(lambda: client_of(planted, "dbx_sp", request_timeout_s=1), {"list"}).error
    assert isinstance(error, Unavailable) and 0.9 < time.monotonic() - began < 2


@pytest.mark.parametrize(("seconds", "limits"), [(0, (5, 30)), (30, (5, 30)), (2, (2, 2)), (10**6, (5, 600))])
def test_the_time_limit_is_kept_within_bounds(fake, seconds, limits):
    assert client_of(fake, request_timeout_s=seconds).timeout == limits


@pytest.mark.parametrize(("setting", "size"), [(1000, 1000), (0, 1024**2), (2**31 - 1, 3 * 1024**2)])
def test_a_stream_is_read_in_pieces_of_the_set_size(fake, setting, size):
    body = bytes(range(256)) * 4096 * 3
    fake.put(f"{ROOT}/big", body)
    with client_of(fake, stream_chunk_bytes=setting).open("big") as stream:
        first = stream.read(3 * 1024**2)
        assert len(first) == size
        assert first + stream.read() == body


@pytest.mark.parametrize("method", ["pat", "dbx_sp"])
def test_a_host_is_asked_at_most_five_things_at_once(planted, method):
    planted.delay(0.02)
    clients = [client_of(planted, method) for _ in range(32)]  # a web request makes its own
    with ThreadPoolExecutor(32) as threads:
        assert list(threads.map(lambda client: client.stat(NAMES[0]).size, clients)) == [100] * 32
    assert planted.max_in_flight == WORK and WORK + CHECKS == 5


def test_an_open_stream_counts_until_it_is_closed(fake):
    fake.put(f"{ROOT}/big", b"z" * 20_000_000)  # more than the sockets' buffers take
    client = client_of(fake, request_timeout_s=1)
    streams = [client.open("big") for _ in range(WORK)]
    with pytest.raises(Throttled):
        client.stat("big")
    streams.pop().close()
    assert client.stat("big").size == 20_000_000
    for stream in streams:
        stream.close()


def test_a_workspace_that_asks_to_wait_is_waited_for(planted):
    planted.fail_next(status=429, code="RESOURCE_EXHAUSTED", match="/fs/", headers={"retry-after": "1"})
    began = time.monotonic()
    assert client_of(planted).stat(NAMES[0]).size == 100
    assert 1 <= time.monotonic() - began < 3


def test_the_check_does_not_wait(planted):
    planted.fail_next(status=429, code="RESOURCE_EXHAUSTED", match="/fs/", headers={"retry-after": "9"})
    began = time.monotonic()
    error = examine(lambda: client_of(planted), {"list"}).error
    assert (type(error), error.retry_after) == (Throttled, 9) and time.monotonic() - began < 1
    assert len(planted.requests) == 1


def test_a_body_that_breaks_off_is_no_whole_one(planted):
    planted.cut_body_after(50, match="/fs/files")
    with client_of(planted).open(NAMES[0]) as stream, pytest.raises(Unavailable):
        while stream.read(40):
            pass


def test_nothing_shows_a_secret(planted, caplog):
    caplog.set_level("DEBUG")
    for method in ("pat", "dbx_sp"):
        client = client_of(planted, method)
        keys(client)
        shown = repr(client) + str(vars(client)) + repr(client._identity)
        assert planted.pat not in shown and SECRET not in shown
    assert planted.pat not in caplog.text and SECRET not in caplog.text
