"""Cloud Storage by workload identity federation: whose AWS identity passes, what a form may say, and what is refused unseen."""

import json
import logging

import pytest
from botocore.exceptions import CredentialRetrievalError

from storages.errors import AccessDenied, BadCredentials, ConfigInvalid, Throttled, Unavailable
from storages.providers import tokens
from storages.providers.aws import ambient
from tests.backends.boxes.gcs_fixtures import OTHER, asked, failure
from tests.backends.boxes.gcs_fixtures import federated as federated  # noqa: F401 - the fixture
from tests.backends.boxes.gcswif import AUDIENCE, SECRET, SESSION
from tests.fakes.google_clients import TOKEN_PERMISSION
from tests.fakes.google_tokens import IAM, READ_WRITE
from tests.fakes.wire import Response, Server

IMPERSONATION = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{}:generateAccessToken"


def test_the_server_s_aws_identity_becomes_the_account_with_the_least_scopes(federated):
    for _ in range(3):
        assert federated.client().stat("a.png").size == 10
    found = [(token.principal, token.scopes) for token in federated.fake.tokens.minted.values()]
    assert found == [(federated.federated, {IAM}), (federated.fake.email, {READ_WRITE, IAM})]


@pytest.mark.parametrize(
    "change", [{"google_project_number": "8"}, {"google_wif_pool_id": "quay-p001"}, {"google_wif_provider_id": "quay-gcp"}]
)
def test_a_provider_that_does_not_exist_is_misconfigured(federated, change):
    error = failure(federated, **change)
    assert type(error) is ConfigInvalid and error.field == "google_wif_provider_id" and "invalid_target" in str(error)


def test_an_aws_role_that_the_condition_does_not_admit_is_no_permission(federated):
    federated.fake.add_provider(AUDIENCE, "arn:aws:sts::111122223333:assumed-role/somebody-else")
    error = failure(federated)
    assert isinstance(error, AccessDenied) and "condition" in str(error)


def test_a_wrong_aws_secret_is_bad_credentials_and_its_token_is_nobody_else_s(federated):
    assert failure(federated) is None
    federated.sign_in("wrong")
    error = failure(federated)
    assert isinstance(error, BadCredentials) and "AWS" in str(error)
    federated.sign_in(SECRET)
    assert failure(federated) is None


def test_an_identity_that_may_not_become_the_account_is_told_the_grant(federated):
    federated.fake.revoke_iam(federated.federated, federated.fake.email, TOKEN_PERMISSION)
    error = failure(federated)
    pool = "principalSet://iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/quay-pool/*"
    assert isinstance(error, AccessDenied)
    assert error.grant == f"roles/iam.workloadIdentityUser on {federated.fake.email} to {pool}"
    become, sign = federated.client().policy({"list", "sign"})["service_account"]["bindings"]
    assert become == {"role": "roles/iam.workloadIdentityUser", "members": [pool]}
    assert sign == {"role": "roles/iam.serviceAccountTokenCreator", "members": [f"serviceAccount:{federated.fake.email}"]}


def test_another_account_than_the_one_granted_is_refused(federated):
    assert isinstance(failure(federated, google_service_account_email=OTHER), AccessDenied)


@pytest.mark.parametrize(
    ("field", "value"),
    [("google_project_number", "my-project"), ("google_project_number", "7/../8"), ("google_project_number", "٧"), ("google_project_number", ""),
     ("google_wif_pool_id", "a/b"), ("google_wif_pool_id", "UPPER"), ("google_wif_pool_id", "abc"), ("google_wif_pool_id", None),
     ("google_wif_provider_id", "x?y=z"), ("google_wif_provider_id", "a" * 33), ("google_wif_provider_id", " "),
     ("google_service_account_email", "someone@example.com"), ("google_service_account_email", "a@b.gserviceaccount.com/x"),
     ("google_service_account_email", None), ("bucket", "a/b")],
)  # fmt: skip
def test_a_malformed_setting_is_named_before_anything_is_sent(federated, field, value):
    error = failure(federated, **{field: value})
    assert type(error) is ConfigInvalid and error.field == field
    assert federated.fake.requests == []


def configuration(federated, **changes):
    """What Google's console writes for this federation, with a source that would read a file of the server."""
    return json.dumps({
        "type": "external_account", "audience": AUDIENCE, "credential_source": {"file": "/etc/hostname", "url": federated.fake.api_url},
        "service_account_impersonation_url": IMPERSONATION.format(federated.fake.email), "token_url": federated.fake.api_url,
    } | changes)  # fmt: skip


def test_a_configuration_file_that_says_the_same_is_taken_and_never_carried_out(federated):
    assert failure(federated, google_application_credentials=configuration(federated)) is None
    assert {logged.service for logged in federated.fake.requests} == {"sts", "iam", "storage"}
    assert not [logged for logged in asked(federated, "storage") if "/storage/v1/b/data/" not in logged.path]


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"audience": AUDIENCE + "x"}, "audience"), ({"type": "service_account"}, "type"), ({"audience": None}, "audience"),
     ({"service_account_impersonation_url": "https://evil.example/"}, "service_account_impersonation_url"),
     ({"service_account_impersonation_url": IMPERSONATION.format(OTHER)}, "service_account_impersonation_url")],
)  # fmt: skip
def test_a_configuration_file_that_says_something_else_is_refused_and_nobody_is_asked(federated, changes, named):
    error = failure(federated, google_application_credentials=configuration(federated, **changes))
    assert type(error) is ConfigInvalid and error.field == "google_application_credentials" and str(error).startswith(named)
    assert federated.fake.requests == []


def test_text_that_is_no_configuration_is_refused_in_label_studio_s_words(federated):
    error = failure(federated, google_application_credentials="no json")
    assert str(error).startswith("Google Application Credentials must be valid JSON string.")


def test_the_server_s_aws_identity_is_the_operator_s_to_lend(federated, settings):
    settings.ALLOW_AMBIENT_CREDENTIALS = False
    assert isinstance(failure(federated), BadCredentials) and federated.fake.requests == []


def test_a_server_without_an_aws_identity_says_so(federated, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    federated.withdraw("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    ambient._default_chain.cache_clear()
    error = failure(federated)
    assert isinstance(error, BadCredentials) and "AWS identity" in str(error)


class Broken:
    def get_frozen_credentials(self):
        raise CredentialRetrievalError(provider="x", error_msg="y")


def test_an_aws_identity_that_cannot_be_renewed_is_unavailable(federated, monkeypatch):
    monkeypatch.setattr(ambient, "_default_chain", Broken)
    monkeypatch.setattr(Broken, "cache_clear", lambda: None, raising=False)
    assert isinstance(failure(federated), Unavailable)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(400, "invalid_scope", ConfigInvalid), (400, "invalid_request", ConfigInvalid), (400, "invalid_grant", BadCredentials),
     (429, "busy", Throttled), (500, "broken", Unavailable), (400, "unheard", Unavailable)],
)  # fmt: skip
def test_every_refusal_of_the_exchange_has_its_class(federated, status, code, kind):
    federated.fake.fail_next(1, status, code, match="/v1/token")
    error = failure(federated)
    assert type(error) is kind and "on demand" not in str(error)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"access_token": "x"}', b'{"access_token": 5, "expires_in": 9}'])
def test_an_answer_that_is_no_token_is_unavailable(federated, settings, body):
    with Server(lambda request: Response(200, {"content-length": str(len(body))}, body)) as server:
        settings.GOOGLE_STS_URL = f"{server.url}/v1/token"
        assert type(failure(federated)) is Unavailable


def test_a_federated_token_that_ended_is_renewed_once(federated, monkeypatch):
    monkeypatch.setattr(tokens, "FRESH", 0)
    client = federated.client()
    client.stat("a.png")
    federated.fake.expire_tokens()
    assert client.stat("a.png").size == 10
    assert len(asked(federated, "sts")) == 2


def test_neither_tokens_nor_aws_keys_are_shown_or_logged(federated, caplog):
    caplog.set_level(logging.DEBUG)
    client = federated.client()
    client.stat("a.png")
    source = client.identity.source
    assert source._source
    shown = caplog.text + repr(client) + str(vars(client)) + repr(source) + str(vars(client.identity))
    assert not any(secret in shown for secret in (SECRET, SESSION, *federated.fake.tokens.minted))
