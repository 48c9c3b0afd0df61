"""Cloud Storage with a pasted key or the server's own identity: what is accepted, where tokens come from, what is kept secret."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from storages.errors import BadCredentials, ConfigInvalid, EgressDenied, Throttled, Unavailable
from storages.providers import tokens
from storages.providers.google import auth as google_auth
from tests.backends.boxes.gcs_fixtures import OTHER, asked, failure, key_with
from tests.backends.boxes.gcs_fixtures import gcs as gcs  # noqa: F401 - the fixture
from tests.backends.boxes.gcs_fixtures import impersonated as impersonated  # noqa: F401 - the fixture
from tests.fakes.google_tokens import IAM, READ_WRITE
from tests.fakes.wire import Response, Server


def names(pages):
    return [item.key for page in pages for item in page.objects]


def test_the_token_is_good_for_objects_and_nothing_else(gcs):
    gcs.client().stat("a.png")
    [token] = gcs.fake.tokens.minted.values()
    assert (token.principal, token.scopes) == (gcs.fake.email, {READ_WRITE})


def test_one_token_serves_many_clients_and_threads(gcs):
    gcs.fake.delay(0.2, match="/token")
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: gcs.client().stat("a.png").size, range(16))) == {10}
    assert len(asked(gcs, "oauth")) == 1


def test_a_token_that_ended_during_a_listing_is_renewed_once(gcs, monkeypatch):
    monkeypatch.setattr(tokens, "FRESH", 0)
    for number in range(9):
        gcs.put(f"p/{number}", b"x")
    pages = gcs.client("p/").list(recursive=True)
    seen = names([next(pages)])
    gcs.fake.expire_tokens()
    assert seen + names(pages) == [f"p/{number}" for number in range(9)]
    assert len(asked(gcs, "oauth")) == 2


def test_a_token_is_never_lent_to_another_key_of_the_same_account(gcs):
    assert gcs.client().stat("a.png").size == 10
    stolen = json.loads(gcs.fake.service_account_json(OTHER))["private_key"]
    with pytest.raises(BadCredentials) as refused:
        gcs.client(google_application_credentials=key_with(gcs, private_key=stolen)).stat("a.png")
    assert refused.value.field == "google_application_credentials"


@pytest.mark.parametrize(
    "changes",
    [{"client_email": "gone@harbour-tests.iam.gserviceaccount.com"}, {"private_key_id": "0" * 40}],
)
def test_a_key_that_google_does_not_know_is_bad_credentials(gcs, changes):
    error = failure(gcs, google_application_credentials=key_with(gcs, **changes))
    assert isinstance(error, BadCredentials) and error.field == "google_application_credentials" and "invalid_grant" in str(error)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"type": "external_account", "credential_source": {"file": "/etc/hostname"}}, "service_account"),
     ({"type": "external_account", "credential_source": {"url": "{fake}/secret"}, "token_url": "{fake}"}, "service_account"),
     ({"type": "authorized_user", "refresh_token": "x"}, "service_account"), ({"type": "impersonated_service_account"}, "service_account"),
     ({"type": None}, "service_account"), ({"token_uri": "{fake}/token"}, "token_uri"), ({"token_uri": "http://169.254.169.254/"}, "token_uri"),
     ({"token_uri": "https://oauth2.googleapis.com.evil.example/token"}, "token_uri"), ({"token_uri": ["x"]}, "token_uri"),
     ({"universe_domain": "evil.example"}, "universe_domain"), ({"client_email": ""}, "client_email"), ({"client_email": 5}, "client_email"),
     ({"client_email": "someone@example.com"}, "client_email"), ({"client_email": "a\ud800@b.iam.gserviceaccount.com"}, "client_email"),
     ({"private_key": "\ud800"}, "PEM"), ({"private_key_id": "\ud800"}, "PEM"),
     ({"private_key": None}, "private_key"), ({"private_key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}, "PEM"),
     ({"private_key": "x"}, "PEM"), ({"private_key_id": {"a": 1}}, "private_key_id")],
)  # fmt: skip
def test_a_key_file_that_could_lead_elsewhere_or_is_damaged_is_refused_and_nobody_is_asked(gcs, changes, reason):
    changes = json.loads(json.dumps(changes).replace("{fake}", gcs.fake.api_url))
    error = failure(gcs, google_application_credentials=key_with(gcs, **changes))
    assert type(error) is ConfigInvalid and error.field == "google_application_credentials" and reason in str(error)
    assert gcs.fake.requests == [] and "PRIVATE KEY-" not in str(error)


@pytest.mark.parametrize("lock", [NoEncryption(), BestAvailableEncryption(b"password")])
def test_a_private_key_that_is_locked_or_not_of_rsa_is_refused(gcs, lock):
    own = load_pem_private_key(json.loads(key_with(gcs))["private_key"].encode(), None)
    key = own if isinstance(lock, BestAvailableEncryption) else ec.generate_private_key(ec.SECP256R1())
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock).decode()
    error = failure(gcs, google_application_credentials=key_with(gcs, private_key=text))
    assert type(error) is ConfigInvalid and error.field == "google_application_credentials" and "RSA" in str(error)


@pytest.mark.parametrize("text", ["not json", "[]", "5", "{", "[" * 100_000, "/etc/passwd"])
def test_text_that_is_no_json_object_is_refused_in_label_studio_s_words(gcs, text):
    error = failure(gcs, google_application_credentials=text)
    assert str(error).startswith("Google Application Credentials must be valid JSON string.")
    assert type(error) is ConfigInvalid and error.field == "google_application_credentials"


def test_an_old_key_with_the_former_token_address_is_taken_and_posted_to_the_present_one(gcs):
    key = key_with(gcs, token_uri="https://accounts.google.com/o/oauth2/token")
    assert failure(gcs, google_application_credentials=key) is None


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(503, "unavailable", Throttled), (429, "rate_limited", Throttled), (500, "internal_failure", Unavailable),
     (400, "invalid_scope", ConfigInvalid), (401, "invalid_client", BadCredentials), (401, "unauthorized_client", BadCredentials),
     (400, "never_heard_of", Unavailable)],
)  # fmt: skip
def test_trouble_with_the_token_service_is_told_by_class(gcs, status, code, kind):
    gcs.fake.fail_next(1, status, code, match="/token")
    assert type(failure(gcs)) is kind


def test_a_token_service_that_is_down_or_is_something_else_is_unavailable(gcs, settings):
    gcs.fake.refuse_all()
    assert isinstance(failure(gcs), Unavailable)
    for body in (b"<html>", b"[]", b'{"access_token": 5}', b'{"access_token": "a\\nb"}', b"[" * 50_000):
        with Server(lambda request, body=body: Response(200, {"content-length": str(len(body))}, body)) as server:
            settings.GOOGLE_OAUTH_TOKEN_URL = f"{server.url}/token"
            assert type(failure(gcs)) is Unavailable


def test_neither_tokens_nor_objects_are_asked_of_a_reserved_address(gcs, settings):
    settings.SSRF_ALLOWED_NETWORKS = []
    assert isinstance(failure(gcs), EgressDenied)
    assert gcs.fake.requests == []


@pytest.fixture
def own(impersonated, monkeypatch):
    """A bucket reached with no key; the server's own identity may do all on it."""
    impersonated.name = "gcs"
    impersonated.fake.requests.clear()
    monkeypatch.setattr(impersonated, "settings", lambda root="": {"bucket": "data", "prefix": root})
    impersonated.sign_in(json.loads(key_with(impersonated, token_uri=impersonated.fake.token_url)))
    return impersonated


def test_without_a_key_the_server_s_own_identity_is_used_and_looked_up_once(own):
    for _ in range(3):
        assert own.client().stat("a.png").size == 10
    [token] = own.fake.tokens.minted.values()
    assert (token.principal, token.scopes) == (own.fake.email, {READ_WRITE, IAM}) and len(asked(own, "oauth")) == 1


def test_the_server_s_own_identity_is_lent_only_where_the_operator_allows_it(own, settings):
    settings.ALLOW_AMBIENT_CREDENTIALS = False
    error = failure(own)
    assert isinstance(error, BadCredentials) and error.field == "google_application_credentials"
    assert own.fake.requests == []


def test_a_server_without_an_identity_says_so(own, monkeypatch, tmp_path):
    for path in (str(tmp_path / "missing.json"), ""):
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", path)
        monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
        error = failure(own)
        assert type(error) is ConfigInvalid and error.field == "google_application_credentials"
        assert own.client().policy({"list", "read", "sign"})["bucket"]["bindings"][0]["members"] == [
            "<this server's Google identity>"
        ]


@pytest.mark.parametrize(
    ("change", "kind"),
    [({"private_key": "x"}, ConfigInvalid), ({"client_email": "gone@harbour-tests.iam.gserviceaccount.com"}, BadCredentials),
     ({"type": "nothing"}, ConfigInvalid), ({"client_email": None}, ConfigInvalid)],
)  # fmt: skip
def test_a_server_whose_identity_is_damaged_or_unknown_says_so(own, change, kind):
    document = json.loads(key_with(own, token_uri=own.fake.token_url)) | change
    own.sign_in({name: value for name, value in document.items() if value is not None})
    assert isinstance(failure(own), kind)


def test_the_server_s_own_identity_too_goes_through_the_egress_guard(own, settings):
    settings.SSRF_ALLOWED_NETWORKS = []
    assert isinstance(failure(own), EgressDenied)
    assert own.fake.requests == []


def test_a_broken_token_service_of_the_server_s_own_identity_is_not_asked_again_and_again(own):
    own.fake.fail_next(5, 503, "unavailable", match="/token")
    assert isinstance(failure(own), Throttled) and len(asked(own, "oauth")) == 1


def test_on_a_machine_of_google_the_metadata_server_is_asked_though_its_address_is_reserved(own, settings, monkeypatch):
    from google.auth.compute_engine import _metadata

    def answer(request):
        assert request.header("metadata-flavor") == "Google"
        document = {"access_token": own.fake.mint(), "expires_in": 3600} if request.path.endswith("/token") else account
        body = json.dumps(document).encode() if "/service-accounts/" in request.path else b"harbour-tests"
        headers = {"Metadata-Flavor": "Google", "content-type": "application/json", "content-length": str(len(body))}
        return Response(200, headers, body)

    account = {"email": own.fake.email, "scopes": [READ_WRITE], "aliases": ["default"]}
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", False)
    settings.SSRF_ALLOWED_NETWORKS = []
    google_auth._default.cache_clear()
    with Server(answer) as server:
        monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", server.url.removeprefix("http://"))
        monkeypatch.setenv("GCE_METADATA_IP", server.url.removeprefix("http://"))
        identity = own.client().identity
        assert (identity.email, identity.remote, identity.token() in own.fake.tokens.minted) == (own.fake.email, True, True)
    google_auth._default.cache_clear()


def test_neither_key_nor_token_is_shown_or_logged(gcs, caplog):
    caplog.set_level(logging.DEBUG)
    client = gcs.client()
    client.stat("a.png")
    client.presign("a.png", 60)
    with pytest.raises(BadCredentials):
        gcs.client(google_application_credentials=key_with(gcs, private_key_id="0" * 40)).stat("a.png")
    shown = caplog.text + repr(client) + str(vars(client)) + repr(client.identity) + str(vars(client.identity))
    secret = json.loads(gcs.fake.service_account_json())["private_key"]
    for text in (*gcs.fake.tokens.minted, secret.splitlines()[2], "assertion="):
        assert text not in shown
