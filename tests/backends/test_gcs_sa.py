"""Cloud Storage through an impersonated account: who may become it, for how long, and the server's identity without a key."""

import logging

import pytest
import urllib3

from storages.errors import AccessDenied, BadCredentials, ConfigInvalid, EgressDenied, NotFound, Throttled, Unavailable
from storages.providers import tokens
from tests.backends.boxes.gcs_fixtures import OTHER, asked, failure
from tests.backends.boxes.gcs_fixtures import impersonated as impersonated  # noqa: F401 - the fixture
from tests.backends.boxes.gcs_sa import RUNNER
from tests.fakes.google_clients import ARN, AUDIENCE, SIGN_PERMISSION, TOKEN_PERMISSION
from tests.fakes.google_tokens import IAM, READ_WRITE
from tests.fakes.wire import Response, Server


def test_the_account_is_asked_for_with_the_least_scopes_and_kept(impersonated):
    for _ in range(3):
        assert impersonated.client().stat("a.png").size == 10
    found = [(token.principal, token.scopes) for token in impersonated.fake.tokens.minted.values()]
    assert found == [(RUNNER, {IAM}), (impersonated.fake.email, {READ_WRITE, IAM})]


def test_a_server_that_may_not_become_the_account_is_told_the_grant(impersonated):
    impersonated.fake.revoke_iam(RUNNER, impersonated.fake.email, TOKEN_PERMISSION)
    error = failure(impersonated)
    assert isinstance(error, AccessDenied) and error.verb == "list"
    wanted = f"roles/iam.serviceAccountTokenCreator on {impersonated.fake.email} to serviceAccount:{RUNNER}"
    assert error.grant == wanted and wanted in str(error)


def test_an_account_that_does_not_exist_is_no_permission_since_google_hides_it(impersonated):
    assert isinstance(failure(impersonated, target_service_account_email=OTHER), AccessDenied)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, ConfigInvalid), (401, BadCredentials), (404, NotFound), (429, Throttled), (503, Throttled), (500, Unavailable),
     (302, Unavailable)],
)  # fmt: skip
def test_every_refusal_of_iam_has_its_class(impersonated, status, kind):
    impersonated.fake.fail_next(3, status, "X", match=":generateAccessToken")
    error = failure(impersonated)
    assert type(error) is kind and "on demand" not in str(error)


def test_a_rejected_token_leads_to_the_server_s_identity_and_not_to_a_key(impersonated):
    impersonated.fake.fail_next(3, 401, "authError", match="/storage/")
    error = failure(impersonated)
    assert isinstance(error, BadCredentials) and "check this server's own Google identity" in str(error)


def test_iam_that_is_down_or_is_something_else_is_unavailable(impersonated, settings):
    settings.GOOGLE_IAMCREDENTIALS_URL = "http://127.0.0.1:9"
    assert isinstance(failure(impersonated), Unavailable)
    with Server(lambda request: Response(200, {"content-length": "2"}, b"{}")) as server:
        settings.GOOGLE_IAMCREDENTIALS_URL = server.url
        assert isinstance(failure(impersonated), Unavailable)


def test_a_token_of_the_source_that_ended_is_renewed_once(impersonated, monkeypatch):
    monkeypatch.setattr(tokens, "FRESH", 0)
    client = impersonated.client()
    client.stat("a.png")
    impersonated.fake.expire_tokens()
    assert client.stat("a.png").size == 10
    assert len(asked(impersonated, "oauth")) == 2 and len(asked(impersonated, "iam")) == 3


@pytest.mark.parametrize(
    "email",
    ["", None, "x", "someone@example.com", "a@b.iam.gserviceaccount.com/../x", "a@b.iam.gserviceaccount.com:signBlob?", "a/b@c.gserviceaccount.com",
     "a@gserviceaccount.com.evil.example", "a@b.iam.gserviceaccount.com\nx", "ä@b.iam.gserviceaccount.com"],
)  # fmt: skip
def test_what_is_no_account_s_address_is_named_before_anything_is_sent(impersonated, email):
    error = failure(impersonated, target_service_account_email=email)
    assert type(error) is ConfigInvalid and error.field == "target_service_account_email"
    assert impersonated.fake.requests == []


@pytest.mark.parametrize(
    "email",
    ["1234-compute@developer.gserviceaccount.com", "proj@appspot.gserviceaccount.com", "a@p.example.com.iam.gserviceaccount.com"],
)
def test_addresses_of_every_kind_of_account_are_taken(impersonated, email):
    assert isinstance(failure(impersonated, target_service_account_email=email), AccessDenied)


def test_the_server_s_own_identity_is_the_operator_s_to_lend(impersonated, settings):
    settings.ALLOW_AMBIENT_CREDENTIALS = False
    assert isinstance(failure(impersonated), BadCredentials) and impersonated.fake.requests == []


def test_iam_is_reached_through_the_egress_guard(impersonated, settings):
    client = impersonated.client()
    client.identity.source.token()
    impersonated.fake.requests.clear()
    settings.SSRF_ALLOWED_NETWORKS = []
    with pytest.raises(EgressDenied):
        client.identity.token()
    assert impersonated.fake.requests == []


def test_the_prescription_names_both_policies(impersonated):
    client, email = impersonated.client(), impersonated.fake.email
    policy = client.policy({"list", "read", "sign"})
    assert policy["bucket"]["bindings"] == [{"role": "roles/storage.objectViewer", "members": [f"serviceAccount:{email}"]}]
    creator = {"role": "roles/iam.serviceAccountTokenCreator"}
    become, sign = creator | {"members": [f"serviceAccount:{RUNNER}"]}, creator | {"members": [f"serviceAccount:{email}"]}
    assert policy["service_account"]["bindings"] == [become, sign]
    assert client.policy({"list", "write"})["service_account"]["bindings"] == [become]


def test_neither_the_token_nor_its_source_is_shown_or_logged(impersonated, caplog):
    caplog.set_level(logging.DEBUG)
    client = impersonated.client()
    client.presign("a.png", 60)
    shown = caplog.text + repr(client) + str(vars(client)) + str(vars(client.identity)) + str(vars(client.identity.source))
    minted = list(impersonated.fake.tokens.minted)
    assert len(minted) == 2 and not any(token in shown for token in minted)


@pytest.fixture
def keyless(impersonated, monkeypatch):
    """A bucket reached with no settings at all: the server's own identity is an account without a private key."""
    fake, secret = impersonated.fake, "secret/of/the/server/0123456789abcdef"
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAHARBOURSERVER001",
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    fake.add_aws_identity("AKIAHARBOURSERVER001", secret, arn=ARN)
    fake.add_provider(AUDIENCE)
    fake.grant_iam(fake.federated(AUDIENCE, ARN), fake.email, TOKEN_PERMISSION)
    verification = "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
    impersonated.sign_in({
        "type": "external_account", "audience": AUDIENCE, "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request",
        "token_url": fake.sts_url, "credential_source": {"environment_id": "aws1", "regional_cred_verification_url": verification},
        "service_account_impersonation_url": f"{fake.iam_url}/v1/projects/-/serviceAccounts/{fake.email}:generateAccessToken",
    })  # fmt: skip
    impersonated.name = "gcs"
    monkeypatch.setattr(impersonated, "settings", lambda root="": {"bucket": "data", "prefix": root})
    return impersonated


def test_a_server_whose_identity_has_no_key_signs_by_iam(keyless):
    client = keyless.client()
    assert urllib3.request("GET", client.presign("a.png", 60)).data == b"0123456789"
    assert len(asked(keyless, "iam", ":signBlob")) == 1 and failure(keyless, "list", "read", "sign") is None
    creator = {"role": "roles/iam.serviceAccountTokenCreator", "members": [f"serviceAccount:{keyless.fake.email}"]}
    assert client.policy({"list", "sign"})["service_account"]["bindings"] == [creator]
    keyless.fake.revoke_iam(keyless.fake.email, keyless.fake.email, SIGN_PERMISSION)
    assert failure(keyless, "list", "read", "sign").grant.endswith("for itself")


def test_a_server_whose_identity_is_no_service_account_cannot_sign_and_says_so(keyless):
    keyless.sign_in({"type": "authorized_user", "client_id": "x", "client_secret": "y", "refresh_token": "z"})
    with pytest.raises(ConfigInvalid) as refused:
        keyless.client().presign("a.png", 60)
    assert refused.value.field == "presign" and keyless.fake.requests == []
