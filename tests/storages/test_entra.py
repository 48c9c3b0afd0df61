"""Service principals of Microsoft Entra ID, against an Entra over TLS that refuses a wrong client."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from storages import budget, egress
from storages.errors import BadCredentials, ConfigInvalid, EgressDenied, Throttled, Unavailable
from storages.providers import tokens
from storages.providers.azure.entra import Principal
from tests.environment import tls_directory
from tests.fakes.entra import DATABRICKS, STORAGE, TENANT, EntraFake
from tests.fakes.tls import server_context
from tests.fakes.wire import Response, Server

SCOPE = f"{DATABRICKS}/.default"


@pytest.fixture
def entra(settings) -> Iterator[EntraFake]:
    with EntraFake(clients={"crane": "salt"}, assertions={"pod": "federated"}) as fake:
        settings.AZURE_AUTHORITY_HOST = fake.url
        yield fake


def principal(tenant: str = TENANT, client_id: str = "crane", scope: str = SCOPE, **more) -> Principal:
    return Principal(tenant, client_id, scope, **{"secret": "salt"} | more)


def asked(entra: EntraFake) -> int:
    return sum(request.method == "POST" for request in entra.requests)


def test_a_secret_gets_a_token_for_exactly_the_resource_asked_for(entra):
    assert entra.verify(principal().token(), DATABRICKS)["appid"] == "crane"
    assert entra.verify(principal(scope=f"{STORAGE}/.default").token(), STORAGE)
    assert not entra.verify(principal().token(), STORAGE)
    assert {request.scope for request in entra.requests} == {None, SCOPE, f"{STORAGE}/.default"}


def test_a_federated_token_is_read_each_time_a_token_is_asked_for(entra):
    shown = iter(["stale", "federated"])
    pod = principal(client_id="pod", secret="", assertion=lambda: next(shown))
    with pytest.raises(BadCredentials):
        pod.token()
    assert entra.verify(pod.token(), DATABRICKS)["appid"] == "pod"


def test_a_token_is_kept_for_all_of_its_principal_and_for_nobody_else(entra):
    assert principal().token() == principal().token()
    assert asked(entra) == 1
    with pytest.raises(BadCredentials):
        principal(secret="a guess").token()


def test_sixteen_threads_ask_once(entra):
    entra.delay(0.1)
    with ThreadPoolExecutor(16) as threads:
        assert len(set(threads.map(lambda _: principal().token(), range(16)))) == 1
    assert asked(entra) == 1


def test_a_short_lived_token_is_renewed_and_a_fresh_one_is_not_asked_for_again(entra):
    entra.expires_in = 0
    assert principal().token() != principal().token()
    assert asked(entra) == 2
    entra.expires_in = 3599
    principal().token()
    assert (principal().renew(), asked(entra)) == (False, 3)


def test_a_rejected_token_is_replaced_once_it_is_no_longer_fresh(entra, monkeypatch):
    first = principal().token()
    monkeypatch.setattr(tokens, "FRESH", 0)
    assert principal().renew() is True
    assert principal().token() != first


@pytest.mark.parametrize(
    ("wrong", "kind", "field", "number"),
    [
        ({"secret": "pepper"}, BadCredentials, "client_secret", "AADSTS7000215"),
        ({"client_id": "stranger"}, BadCredentials, "client_id", "AADSTS700016"),
        ({"tenant": "elsewhere.example"}, ConfigInvalid, "tenant_id", ""),
        ({"scope": "https://graph.example/.default"}, ConfigInvalid, None, "AADSTS1002012"),
    ],
)
def test_a_refusal_names_the_setting_at_fault_and_repeats_no_secret(entra, wrong, kind, field, number):
    with pytest.raises(kind) as refused:
        principal(**wrong).token()
    assert refused.value.field == field and number in str(refused.value)
    assert "pepper" not in str(refused.value) and "salt" not in str(refused.value)


@pytest.mark.parametrize("tenant", ["", "a/b", "..", "a?b", "a b", "common\n", "a@b", "x" * 300, ".a"])
def test_a_tenant_cannot_change_the_path_of_the_token_endpoint(entra, tenant):
    with pytest.raises(ConfigInvalid) as refused:
        principal(tenant)
    assert refused.value.field == "tenant_id" and entra.requests == []


@pytest.mark.parametrize("step", ["openid-configuration", "oauth2/v2.0/token"])
@pytest.mark.parametrize(
    ("status", "kind", "after"), [(429, Throttled, 7), (503, Throttled, 7), (500, Unavailable, None), (502, Unavailable, None)]
)
def test_a_busy_entra_is_no_wrong_setting(entra, step, status, kind, after):
    entra.fail_next(status=status, code="temporarily_unavailable", match=step, headers={"retry-after": "7"})
    with pytest.raises(kind) as refused:
        principal().token()
    assert getattr(refused.value, "retry_after", None) == after and refused.value.field is None
    assert principal().token()


def test_an_entra_that_is_down_or_hangs_is_unreachable(entra):
    entra.refuse_all()
    with pytest.raises(Unavailable):
        principal().token()
    entra.heal()
    entra.delay(2)
    began = time.monotonic()
    with budget.limited(0.3), pytest.raises(Unavailable):
        principal().token()
    assert time.monotonic() - began < 1.5


def test_an_entra_whose_certificate_is_not_trusted_is_not_asked(entra, settings):
    settings.EXTRA_CA_CERTS = ""
    egress.tls.cache_clear()
    try:
        with pytest.raises(Unavailable, match="certificate"):
            principal().token()
    finally:
        egress.tls.cache_clear()
    assert entra.requests == []


def test_an_authority_on_a_reserved_address_is_not_asked(entra, settings):
    settings.SSRF_ALLOWED_NETWORKS = []
    with pytest.raises(EgressDenied):
        principal().token()
    assert entra.requests == []


def test_the_environment_names_neither_the_authorities_nor_the_proxy(entra, monkeypatch):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "/nowhere" if name.endswith("BUNDLE") else "http://127.0.0.1:9")
    assert principal().token()


@pytest.mark.parametrize("document", [b"<html>hello</html>", b"[]", b"{}", b'{"issuer": 5}', b"\xff\xfe"])
def test_something_else_is_no_entra(document, settings):
    def answer(request) -> Response:
        return Response(200, {"content-length": str(len(document))}, document)

    with Server(answer, server_context(tls_directory())) as server:
        settings.AZURE_AUTHORITY_HOST = server.url
        with pytest.raises(Unavailable):
            principal().token()


def test_neither_repr_nor_error_of_a_principal_holds_its_secret(entra):
    assert "salt" not in repr(principal())
