"""The Google fake trades signed AWS requests for tokens, as google-auth sends them, and refuses every changed one."""

import json
from urllib.parse import quote, unquote

import pytest
import requests
from google.auth.exceptions import OAuthError, RefreshError
from google.auth.transport.requests import Request as AuthRequest

from tests.fakes.google import google_fixture as google_fixture
from tests.fakes.google_clients import ARN, AUDIENCE, ROLE, TOKEN_PERMISSION, Supplier, bucket_of, call, federated, refresh
from tests.fakes.google_tokens import CLOUD

KEYS = ("ASIAHARBOUR", "the+secret/of the harbour", "the-session-token==")


@pytest.fixture
def pool(google):
    """A provider that takes one role of AWS, and a session of that role; gives its principal."""
    google.add_provider(AUDIENCE, ROLE)
    google.add_aws_identity(*KEYS, arn=ARN)
    return google.federated(AUDIENCE, ARN)


def test_an_aws_identity_gets_a_federated_token(google, pool):
    google.grant(pool, "data", "storage.objects.list")
    token = refresh(federated(google, Supplier(*KEYS)))
    assert call(google, "GET", "/storage/v1/b/data/o", token).status == 200
    assert call(google, "GET", "/storage/v1/b/data/o/a", token).status == 403


def test_an_aws_identity_goes_on_to_a_service_account_that_lets_it(google, pool):
    google.put("data", "a", b"x")
    signed_in = federated(google, Supplier(*KEYS), google.email)
    with pytest.raises(RefreshError, match=TOKEN_PERMISSION):
        refresh(signed_in)
    google.grant_iam(pool, google.email, TOKEN_PERMISSION)
    assert [blob.name for blob in bucket_of(google, signed_in).list_blobs()] == ["a"]
    assert [entry.service for entry in google.requests] == ["sts", "iam", "iam", "storage"]


REFUSED = {
    "wrong secret": ({"secret": "wrong"}, {}, "invalid_grant"),
    "unknown key": ({"access_key": "ASIAOTHER"}, {}, "invalid_grant"),
    "no session token": ({"token": None}, {}, "invalid_grant"),
    "other session token": ({"token": "other"}, {}, "invalid_grant"),
    "no such region": ({"region": "eu west"}, {}, "invalid_grant"),
    "other audience": ({}, {"audience": AUDIENCE + "2"}, "invalid_target"),
    "unknown scope": ({}, {"scope": "everything"}, "invalid_scope"),
}


@pytest.mark.parametrize(("keys", "changes", "error"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_aws_identity_is_refused(google, pool, keys, changes, error):
    supplier = Supplier(**dict(zip(("access_key", "secret", "token"), KEYS, strict=True)) | keys)
    with pytest.raises(OAuthError, match=error):
        refresh(federated(google, supplier, **changes))


@pytest.mark.parametrize("arn", ["arn:aws:iam::111122223333:user/harbour", f"{ROLE}-private/session", ROLE])
def test_an_aws_identity_must_meet_the_attribute_condition(google, pool, arn):
    google.add_aws_identity("AKIAOTHER", "secret", arn=arn)
    with pytest.raises(OAuthError, match="unauthorized_client"):
        refresh(federated(google, Supplier("AKIAOTHER", "secret")))


@pytest.mark.parametrize("minutes", [-16, 16])
def test_an_aws_signature_more_than_15_minutes_off_is_refused(google, pool, minutes):
    google.advance(minutes * 60)
    with pytest.raises(OAuthError, match="invalid_grant.*RequestTimeTooSkewed"):
        refresh(federated(google, Supplier(*KEYS)))


def exchange(google, change=lambda document: document, **form: str) -> requests.Response:
    """A token exchange with a changed AWS request or form."""
    subject = federated(google, Supplier(*KEYS)).retrieve_subject_token(AuthRequest())
    whole = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "audience": AUDIENCE,
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request",
        "scope": CLOUD,
        "subject_token": quote(json.dumps(change(json.loads(unquote(subject))))),
    }
    return requests.post(google.sts_url, whole | form, timeout=5)


def header(name: str, value: str):
    """A change of the AWS request: one header takes another value, or goes with ""."""

    def change(document):
        kept = [entry for entry in document["headers"] if entry["key"].lower() != name]
        return document | {"headers": kept + ([{"key": name, "value": value}] if value else [])}

    return change


CHANGES = {
    "other host": lambda document: document | {"url": document["url"].replace("amazonaws.com", "evil.example")},
    "host header": header("host", "sts.us-east-1.amazonaws.com"),
    "http": lambda document: document | {"url": document["url"].replace("https:", "http:")},
    "other action": lambda document: document | {"url": document["url"].replace("GetCallerIdentity", "AssumeRole")},
    "method": lambda document: document | {"method": "GET"},
    "other target": header("x-goog-cloud-target-resource", AUDIENCE + "2"),
    "no target": header("x-goog-cloud-target-resource", ""),
    "no signature": header("authorization", ""),
    "no date": header("x-amz-date", ""),
    "unsigned header": header("x-amz-extra", "1"),
    "no headers": lambda document: {"url": document["url"], "method": "POST"},
    "no object": lambda document: [],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_aws_request_is_refused(google, pool, change):
    assert exchange(google).status_code == 200
    answer = exchange(google, change)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "client_credentials"}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:id_token"}, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:jwt"}, "invalid_request"),
        ({"audience": ""}, "invalid_target"),
        ({"scope": ""}, "invalid_scope"),
        ({"subject_token": "%"}, "invalid_grant"),
    ],
)
def test_a_wrong_form_of_the_exchange_is_refused(google, pool, form, error):
    answer = exchange(google, **form)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
