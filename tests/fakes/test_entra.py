"""The Entra fake serves the right client and refuses every wrong one: driven with msal, azure-identity and plain HTTP."""

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import jwt
import msal
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientAssertionCredential, ClientSecretCredential

from tests.environment import tls_directory
from tests.fakes.entra import DATABRICKS, JWT_BEARER, STORAGE, EntraFake

CA = str(tls_directory() / "ca.pem")
SECRET = "harbour~secret/+&=of the tests"
SCOPE = f"{STORAGE}/.default"
FORM = {"grant_type": "client_credentials", "client_id": "crane", "client_secret": SECRET, "scope": SCOPE}
WORKLOAD = {"client_id": "winch", "client_secret": None, "client_assertion_type": JWT_BEARER, "client_assertion": "a.b.c"}


@pytest.fixture(autouse=True)
def own_authority(monkeypatch: pytest.MonkeyPatch) -> None:
    """requests prefers these variables to what msal was told to trust."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def entra() -> Iterator[EntraFake]:
    with EntraFake(clients={"crane": SECRET}, assertions={"winch": "a.b.c"}) as fake:
        yield fake


def application(fake: EntraFake, client: str = "crane", credential: Any = SECRET) -> msal.ConfidentialClientApplication:
    arguments = {"authority": fake.authority, "verify": CA, "timeout": 5, "instance_discovery": False}
    return msal.ConfidentialClientApplication(client, client_credential=credential, **arguments)


def ask(fake: EntraFake, **fields: str | None) -> requests.Response:
    """A token request with the right form but for ``fields``; None leaves a field out."""
    form = {name: value for name, value in (FORM | fields).items() if value is not None}
    return requests.post(f"{fake.authority}/oauth2/v2.0/token", data=form, verify=CA, timeout=5)


def test_msal_gets_a_token_for_storage_as_azurite_reads_it(entra):
    result = application(entra).acquire_token_for_client([SCOPE])
    assert (result["token_type"], result["expires_in"]) == ("Bearer", 3599)
    claims = jwt.decode(result["access_token"], options={"verify_signature": False})
    assert (claims["aud"], claims["iss"]) == (STORAGE, f"https://sts.windows.net/{entra.tenant}/")
    assert claims["nbf"] <= time.time() < claims["exp"] <= time.time() + 3599
    assert (claims["appid"], claims["tid"]) == ("crane", entra.tenant) and claims["oid"]
    assert [(entry.method, entry.status, entry.scope) for entry in entra.requests] == [("GET", 200, None), ("POST", 200, SCOPE)]


def test_msal_gets_a_token_for_a_federated_assertion(entra):
    result = application(entra, "winch", {"client_assertion": "a.b.c"}).acquire_token_for_client([f"{DATABRICKS}/.default"])
    assert entra.verify(result["access_token"], DATABRICKS)["appid"] == "winch"


def test_azure_identity_gets_a_token_by_secret_and_by_assertion(entra):
    options = {"authority": entra.url, "disable_instance_discovery": True, "connection_verify": CA}
    secret = ClientSecretCredential(entra.tenant, "crane", SECRET, **options)
    assertion = ClientAssertionCredential(entra.tenant, "winch", lambda: "a.b.c", **options)
    assert entra.verify(secret.get_token(SCOPE).token, STORAGE)["appid"] == "crane"
    assert entra.verify(assertion.get_token(SCOPE).token, STORAGE)["appid"] == "winch"
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        ClientSecretCredential(entra.tenant, "crane", "wrong", **options).get_token(SCOPE)


@pytest.mark.parametrize(
    ("fields", "status", "error", "number"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": None}, 401, "invalid_client", 7000216),
        ({"client_id": "stranger"}, 400, "unauthorized_client", 700016),
        ({"client_id": "winch"}, 401, "invalid_client", 7000215),
        ({"client_id": None}, 400, "invalid_request", 900144),
        ({"grant_type": None}, 400, "invalid_request", 900144),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"scope": None}, 400, "invalid_request", 900144),
        ({"scope": STORAGE}, 400, "invalid_scope", 1002012),
        ({"scope": f"{STORAGE}//.default"}, 400, "invalid_scope", 1002012),
        ({"scope": f"{SCOPE} {DATABRICKS}/.default"}, 400, "invalid_scope", 1002012),
        ({"scope": "https://graph.microsoft.com/.default"}, 400, "invalid_scope", 1002012),
        (WORKLOAD | {"client_assertion": "a.b.x"}, 401, "invalid_client", 700213),
        (WORKLOAD | {"client_assertion_type": "jwt"}, 401, "invalid_client", 700213),
        (WORKLOAD | {"client_id": "crane"}, 401, "invalid_client", 700213),
    ],
)
def test_a_wrong_token_request_is_refused(entra, fields, status, error, number):
    answer = ask(entra, **fields)
    assert (answer.status_code, answer.json()["error"], answer.json()["error_codes"]) == (status, error, [number])
    assert answer.json()["error_description"].startswith(f"AADSTS{number}: ")
    assert SECRET not in answer.text and "wrong" not in answer.text and "a.b." not in answer.text


@pytest.mark.parametrize(("kind", "encode"), [("application/json", json.dumps), ("text/plain", urlencode)])
def test_a_body_that_is_no_form_is_refused(entra, kind, encode):
    target, headers = f"{entra.authority}/oauth2/v2.0/token", {"Content-Type": kind}
    answer = requests.post(target, data=encode(FORM), headers=headers, verify=CA, timeout=5)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_an_unknown_tenant_fails_discovery_and_tokens(entra):
    entra.authority = f"{entra.url}/elsewhere"
    with pytest.raises(ValueError):
        application(entra)
    assert entra.requests[-1].status == 400
    assert (ask(entra).status_code, ask(entra).json()["error"]) == (400, "invalid_tenant")


@pytest.mark.parametrize("target", ["oauth2/token", "oauth2/v2.0/token", ".well-known/openid-configuration"])
def test_what_is_not_served_is_not_found(entra, target):
    assert requests.get(f"{entra.authority}/{target}", verify=CA, timeout=5).status_code == 404


def test_only_an_own_unexpired_token_for_the_audience_is_verified(entra):
    now = time.time()
    entra.clock = lambda: now  # a slow machine ages nothing
    token = ask(entra).json()["access_token"]
    assert entra.verify(token, STORAGE)["aud"] == STORAGE
    assert entra.verify(token, DATABRICKS) is None
    assert entra.verify(token[:-4], STORAGE) is None and entra.verify("nonsense", STORAGE) is None
    with EntraFake() as other:
        assert entra.verify(other.issue("crane", STORAGE), STORAGE) is None
    entra.advance(3598)
    assert entra.verify(token, STORAGE)
    entra.advance(2)
    assert entra.verify(token, STORAGE) is None
    assert entra.verify(ask(entra).json()["access_token"], STORAGE)


def test_lifetimes_are_as_configured(entra):
    entra.expires_in, entra.refresh_in = 60, 30
    answer = ask(entra).json()
    assert (answer["expires_in"], answer["refresh_in"]) == (60, 30)
    entra.advance(61)
    assert entra.verify(answer["access_token"], STORAGE) is None


def test_trouble_comes_on_demand(entra):
    entra.fail_next(1, 429, "temporarily_unavailable", match="token", headers={"Retry-After": "7"})
    answer = ask(entra)
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["error"]) == (429, "7", "temporarily_unavailable")
    assert ask(entra).status_code == 200
    entra.delay(0.1, n=1)
    started = time.monotonic()
    assert ask(entra).ok and time.monotonic() - started >= 0.1
    entra.refuse_all()
    with pytest.raises(requests.ConnectionError):
        ask(entra)


def test_the_certificate_is_of_the_tests_own_authority(entra):
    with pytest.raises(requests.exceptions.SSLError), contextlib.closing(requests.Session()) as session:
        session.get(f"{entra.authority}/v2.0/.well-known/openid-configuration", timeout=5)
