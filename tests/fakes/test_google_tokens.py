"""The Google fake gives tokens for keys, AWS identities and impersonation that are right, and refuses each wrong one."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta

import pytest
import requests
from google.auth.exceptions import RefreshError

from tests.fakes.google import google_fixture as google_fixture
from tests.fakes.google_accounts import JWT_BEARER, TOKEN_URI, signed_by
from tests.fakes.google_clients import (
    SIGN_PERMISSION,
    TOKEN_PERMISSION,
    BlobSigner,
    ServiceAccount,
    account,
    assertion,
    bucket_of,
    call,
    impersonated,
    refresh,
)
from tests.fakes.google_tokens import CLOUD, IAM, READ_ONLY
from tests.fakes.s3_clients import fetch

STRANGER = "stranger@harbour-tests.iam.gserviceaccount.com"


def test_the_pasted_key_file_is_what_google_hands_out(google):
    info = json.loads(google.service_account_json())
    assert (info["type"], info["token_uri"], info["client_email"]) == ("service_account", TOKEN_URI, google.email)
    signed_in = ServiceAccount.from_service_account_info(info | {"token_uri": google.token_url}, scopes=[CLOUD])
    assert call(google, "GET", "/storage/v1/b/data/o", refresh(signed_in)).status == 200


def test_a_signed_assertion_gets_a_token_that_works_until_it_ends(google):
    token = refresh(account(google))
    assert call(google, "GET", "/storage/v1/b/data/o", token).status == 200
    google.advance(3601)
    assert call(google, "GET", "/storage/v1/b/data/o", token).status == 401


@pytest.mark.parametrize("change", ["client_email", "private_key", "private_key_id"])
def test_a_key_file_that_was_changed_gets_no_token(google, change):
    other = json.loads(google.service_account_json(STRANGER))
    other["client_email"] = "nobody@harbour-tests.iam.gserviceaccount.com"
    wanted = "account not found" if change == "client_email" else "Invalid JWT Signature."
    with pytest.raises(RefreshError, match=wanted):
        refresh(account(google, **{change: other[change]}))


def test_the_official_client_meets_a_wrong_key_as_a_refresh_error(google):
    other = json.loads(google.service_account_json(STRANGER))["private_key"]
    with pytest.raises(RefreshError, match="invalid_grant: Invalid JWT Signature."):
        list(bucket_of(google, account(google, private_key=other)).list_blobs())


GOOD = "quayside@harbour-tests.iam.gserviceaccount.com"
RIGHT = {"aud": TOKEN_URI, "scope": CLOUD, "iat": 0, "exp": 3600}
ASSERTIONS = {
    "right": ({}, None),
    "audience": ({"aud": "https://evil.example/token"}, "invalid_grant"),
    "expired": ({"iat": -7200, "exp": -3600}, "invalid_grant"),
    "too long": ({"exp": 3700}, "invalid_grant"),
    "not yet": ({"iat": 900, "exp": 1800}, "invalid_grant"),
    "no expiry": ({"exp": None}, "invalid_grant"),
    "no scope": ({"scope": ""}, "invalid_scope"),
    "unknown scope": ({"scope": "https://www.googleapis.com/auth/everything"}, "invalid_scope"),
}


def assertion_of(claims: dict[str, object], **signing: str) -> str:
    """A JWT whose times are seconds from now."""
    now = int(time.time())
    return assertion(GOOD, {name: now + value if isinstance(value, int) else value for name, value in claims.items()}, **signing)


@pytest.mark.parametrize(("claims", "error"), ASSERTIONS.values(), ids=ASSERTIONS)
def test_an_assertion_must_say_the_right_things(google, claims, error):
    form = {"grant_type": JWT_BEARER, "assertion": assertion_of(RIGHT | claims)}
    answer = requests.post(google.token_url, form, timeout=5)
    assert (answer.status_code, answer.json().get("error")) == (400 if error else 200, error)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"grant_type": JWT_BEARER}, "invalid_grant"),
        ({"grant_type": JWT_BEARER, "assertion": "a.b.c"}, "invalid_grant"),
        ({"grant_type": JWT_BEARER, "assertion": "é"}, "invalid_grant"),
    ],
)
def test_a_malformed_token_request_is_refused(google, form, error):
    answer = requests.post(google.token_url, form, timeout=5)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


@pytest.mark.parametrize("signing", [{"key": STRANGER}, {"algorithm": "none"}, {"algorithm": "HS256"}])
def test_an_assertion_signed_with_another_key_or_algorithm_is_refused(google, signing):
    form = {"grant_type": JWT_BEARER, "assertion": assertion_of(RIGHT, **signing)}
    answer = requests.post(google.token_url, form, timeout=5)
    assert (answer.status_code, answer.json()["error_description"]) == (400, "Invalid JWT Signature.")


def test_impersonation_needs_the_permission_to_get_tokens(google):
    source = account(google, STRANGER)
    google.grant_iam(STRANGER, google.email, SIGN_PERMISSION)
    with pytest.raises(RefreshError, match=TOKEN_PERMISSION):
        refresh(impersonated(google, google.email, source))
    google.grant_iam(STRANGER, google.email, TOKEN_PERMISSION)
    signed_in = impersonated(google, google.email, source, lifetime=600)
    assert list(bucket_of(google, signed_in).list_blobs()) == []
    assert call(google, "GET", "/storage/v1/b/data/o", signed_in.token).status == 200
    google.advance(601)
    assert call(google, "GET", "/storage/v1/b/data/o", signed_in.token).status == 401
    with pytest.raises(RefreshError, match="lifetime"):
        refresh(impersonated(google, google.email, account(google, STRANGER), lifetime=3601))


def iam(google, verb: str, body: object, token: str | None = None, email: str | None = None) -> requests.Response:
    url = f"{google.iam_url}/v1/projects/-/serviceAccounts/{email or google.email}:{verb}"
    headers = {"Authorization": f"Bearer {google.mint(STRANGER) if token is None else token}"}
    return requests.post(url, data=body if isinstance(body, bytes) else json.dumps(body), headers=headers, timeout=5)


def test_a_blob_is_signed_for_whoever_may_sign_and_for_nobody_else(google):
    body = {"payload": base64.b64encode(b"message").decode()}
    google.grant_iam(STRANGER, google.email, TOKEN_PERMISSION)
    assert SIGN_PERMISSION in iam(google, "signBlob", body).json()["error"]["message"]
    google.grant_iam(STRANGER, google.email, SIGN_PERMISSION)
    google.revoke_iam(STRANGER, google.email, TOKEN_PERMISSION)
    assert signed_by(google.email, b"message", base64.b64decode(iam(google, "signBlob", body).json()["signedBlob"]))
    assert iam(google, "generateAccessToken", {"scope": [CLOUD]}).status_code == 403


def test_a_url_signed_by_iam_is_as_good_as_one_signed_with_the_key(google):
    google.put("data", "a.txt", b"x")
    google.grant_iam(STRANGER, google.email, SIGN_PERMISSION)
    signer = BlobSigner(google, google.mint(STRANGER), google.email)
    blob = bucket_of(google).blob("a.txt")
    url = blob.generate_signed_url(version="v4", expiration=timedelta(minutes=1), credentials=signer)
    assert fetch("GET", url).data == b"x"
    assert fetch("GET", url.replace("a.txt", "b.txt")).status == 403


IAM_REFUSALS = {
    "anonymous": ("signBlob", {"payload": "eA=="}, {"token": ""}, 401, "UNAUTHENTICATED"),
    "unknown account": ("signBlob", {"payload": "eA=="}, {"email": "nobody@x.iam.gserviceaccount.com"}, 403, "PERMISSION_DENIED"),
    "no payload": ("signBlob", {}, {}, 400, "INVALID_ARGUMENT"),
    "payload no base64": ("signBlob", {"payload": "?"}, {}, 400, "INVALID_ARGUMENT"),
    "no json": ("signBlob", b"payload", {}, 400, "INVALID_ARGUMENT"),
    "no object": ("signBlob", [], {}, 400, "INVALID_ARGUMENT"),
    "no scope": ("generateAccessToken", {"lifetime": "60s"}, {}, 400, "INVALID_ARGUMENT"),
    "unknown scope": ("generateAccessToken", {"scope": ["everything"]}, {}, 400, "INVALID_ARGUMENT"),
    "too long": ("generateAccessToken", {"scope": [CLOUD], "lifetime": "3601s"}, {}, 400, "INVALID_ARGUMENT"),
    "no unit": ("generateAccessToken", {"scope": [CLOUD], "lifetime": "60"}, {}, 400, "INVALID_ARGUMENT"),
    "delegates": ("generateAccessToken", {"scope": [CLOUD], "delegates": ["x"]}, {}, 400, "INVALID_ARGUMENT"),
    "other verb": ("signJwt", {}, {}, 404, "NOT_FOUND"),
}


@pytest.mark.parametrize(("verb", "body", "who", "status", "code"), IAM_REFUSALS.values(), ids=IAM_REFUSALS)
def test_a_wrong_call_of_iam_credentials_is_refused(google, verb, body, who, status, code):
    google.grant_iam(STRANGER, google.email, SIGN_PERMISSION, TOKEN_PERMISSION)
    answer = iam(google, verb, body, **who)
    assert (answer.status_code, answer.json()["error"]["status"]) == (status, code)


def test_iam_credentials_need_a_scope_of_iam_and_a_living_token(google):
    google.grant_iam(STRANGER, google.email, TOKEN_PERMISSION)
    body = {"scope": [READ_ONLY], "lifetime": "60s"}
    assert iam(google, "generateAccessToken", body, google.mint(STRANGER, [READ_ONLY])).status_code == 403
    token = google.mint(STRANGER, [IAM], 60)
    answer = iam(google, "generateAccessToken", body, token).json()
    ends = datetime.strptime(answer["expireTime"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert 50 < (ends - google.now()).total_seconds() <= 60
    assert call(google, "GET", "/storage/v1/b/data/o", answer["accessToken"]).status == 200
    google.advance(61)
    assert iam(google, "generateAccessToken", body, token).status_code == 401


def test_the_search_for_allowed_locations_finds_nothing(google):
    url = f"{google.iam_url}/v1/projects/-/serviceAccounts/{google.email}/allowedLocations"
    assert requests.get(url, timeout=5).status_code == 404


def test_each_service_answers_only_on_its_own_port(google):
    for right, wrong in ((google.token_url, google.sts_url), (google.sts_url, google.token_url)):
        swapped = wrong.split("/")[:3] + right.split("/")[3:]
        assert requests.post("/".join(swapped), timeout=5).status_code == 404
