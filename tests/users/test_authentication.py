"""Which credentials open the API, and how every other one is answered."""

import datetime

import jwt
import pytest
from django.conf import settings
from django.utils import timezone

from tests.users.conftest import SendWith
from users import personal_tokens
from users.models import LegacyToken, OrganizationMember, User

WHOAMI = "/api/current-user/whoami"


def forge(key: str | None = None, algorithm: str = "HS256", **changes: object) -> str:
    """A token like ours except for ``changes``; a claim of None is left out."""
    now = timezone.now()
    claims = {"token_type": "access", "iat": now, "exp": now + datetime.timedelta(minutes=5), "jti": "a" * 32, "user_id": "1"}
    claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    return jwt.encode(claims, settings.SECRET_KEY if key is None else key, algorithm=algorithm)


def assert_refused(response, detail: str) -> None:
    assert response.status_code == 401, response.content
    assert response["WWW-Authenticate"] == "Token"
    body = response.json()
    assert set(body) == {"id", "status_code", "version", "detail", "exc_info"}
    assert body["status_code"] == 401
    assert detail in body["detail"]


@pytest.mark.parametrize("header", ["authorization", "x_api_key"])
def test_a_legacy_key_signs_its_owner_in_with_one_query(send_with: SendWith, alice, key, header, django_assert_num_queries):
    value = f"Token {key}" if header == "authorization" else key
    with django_assert_num_queries(1):  # the organization and the membership come with the account
        response = send_with(**{header: value}).get("/api/jwt/settings")
    assert response.status_code == 200
    assert send_with(**{header: value}).get(WHOAMI).json()["email"] == alice.email


@pytest.mark.parametrize("header", ["authorization", "x_api_key"])
def test_an_access_token_signs_its_owner_in_with_one_query(send_with: SendWith, alice, access, header, django_assert_num_queries):
    value = f"Bearer {access}" if header == "authorization" else access
    with django_assert_num_queries(1):
        assert send_with(**{header: value}).get("/api/jwt/settings").status_code == 200
    assert send_with(**{header: value}).get(WHOAMI).json()["email"] == alice.email


@pytest.mark.parametrize("scheme", ["token", "TOKEN", "Token"])
def test_the_scheme_is_read_in_any_case(send_with: SendWith, key, scheme):
    assert send_with(authorization=f"{scheme} {key}").get(WHOAMI).status_code == 200


def test_a_request_without_credentials_is_told_how_to_authenticate(send_with: SendWith, db):
    assert_refused(send_with().get(WHOAMI), "Authentication credentials were not provided.")


@pytest.mark.parametrize(
    ("header", "value", "detail"),
    [
        ("authorization", "Token unknown", "Invalid token."),
        ("authorization", "Token", "Invalid token header"),
        ("authorization", "Token two parts", "Invalid token header"),
        ("authorization", "Token naïve\x80", "Invalid token."),
        ("authorization", "Bearer", "Invalid token header"),
        ("authorization", "Bearer garbage", "Invalid token."),
        ("authorization", "Bearer a.b.c", "Invalid token."),
        ("authorization", "Basic YWxpY2U6c2VjcmV0", "Authentication credentials were not provided."),
        ("x_api_key", "unknown", "Invalid token."),
        ("x_api_key", "a.b.c", "Invalid token."),
    ],
)
def test_bad_credentials_are_a_401_in_the_envelope(send_with: SendWith, alice, header, value, detail):
    assert_refused(send_with(**{header: value}).get(WHOAMI), detail)


def test_a_refresh_token_does_not_open_the_api(send_with: SendWith, refresh):
    assert_refused(send_with(authorization=f"Bearer {refresh}").get(WHOAMI), "of type access")
    assert_refused(send_with(x_api_key=refresh).get(WHOAMI), "of type access")


def test_an_access_token_is_no_legacy_key(send_with: SendWith, access):
    assert_refused(send_with(authorization=f"Token {access}").get(WHOAMI), "Invalid token.")


def test_a_legacy_key_is_no_access_token(send_with: SendWith, key):
    assert_refused(send_with(authorization=f"Bearer {key}").get(WHOAMI), "Invalid token.")


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"key": "another-secret-key-of-enough-length-000"}, "Invalid token."),
        ({"key": "", "algorithm": "none"}, "Invalid token."),
        ({"algorithm": "HS512"}, "Invalid token."),
        ({"exp": datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)}, "Token is expired."),
        ({"exp": None}, "Invalid token."),
        ({"token_type": None}, "Invalid token."),
        ({"jti": None}, "Invalid token."),
        ({"user_id": None}, "Invalid token."),
        ({"user_id": "one"}, "Invalid token."),
        ({"user_id": "9" * 40}, "Invalid token."),
        ({"user_id": "0"}, "Invalid token."),
    ],
)
def test_a_token_that_is_not_exactly_ours_is_refused(send_with: SendWith, alice, changes, detail):
    token = forge(**{"user_id": str(alice.pk), **changes})
    assert_refused(send_with(authorization=f"Bearer {token}").get(WHOAMI), detail)


def test_the_forger_of_these_tests_makes_good_tokens_when_it_changes_nothing(send_with: SendWith, alice):
    assert send_with(authorization=f"Bearer {forge(user_id=str(alice.pk))}").get(WHOAMI).status_code == 200


def test_a_token_with_a_changed_payload_is_refused(send_with: SendWith, alice, bob):
    head, _, signature = personal_tokens.issue_access(alice).split(".")
    payload = personal_tokens.issue_access(bob).split(".")[1]
    assert_refused(send_with(authorization=f"Bearer {head}.{payload}.{signature}").get(WHOAMI), "Invalid token.")


def test_an_access_token_has_the_claims_that_clients_read_and_lives_five_minutes(alice, access):
    claims = jwt.decode(access, options={"verify_signature": False})
    assert jwt.get_unverified_header(access)["alg"] == "HS256"
    assert set(claims) == {"token_type", "exp", "iat", "jti", "user_id"}
    assert (claims["token_type"], claims["user_id"]) == ("access", str(alice.pk))
    assert claims["exp"] - claims["iat"] == 300


@pytest.mark.parametrize("kind", ["Token", "Bearer"])
def test_an_inactive_user_is_refused(send_with: SendWith, alice, key, access, kind):
    User.objects.filter(pk=alice.pk).update(is_active=False)
    value = {"Token": key, "Bearer": access}[kind]
    assert_refused(send_with(authorization=f"{kind} {value}").get(WHOAMI), "User inactive")


@pytest.mark.parametrize(
    ("switch", "closed", "still_open"),
    [("legacy_api_tokens_enabled", "Token", "Bearer"), ("api_tokens_enabled", "Bearer", "Token")],
)
def test_an_organization_can_switch_off_either_kind_of_token(send_with, team, key, access, switch, closed, still_open):
    setattr(team, switch, False)
    team.save()
    values = {"Token": key, "Bearer": access}
    assert_refused(send_with(authorization=f"{closed} {values[closed]}").get(WHOAMI), "switched off")
    assert send_with(authorization=f"{still_open} {values[still_open]}").get(WHOAMI).status_code == 200


@pytest.mark.parametrize("kind", ["Token", "Bearer", "session", "forced"])
def test_a_revoked_member_is_refused_with_a_reason_whatever_the_credentials(send_with, api, alice, key, access, kind):
    client = api if kind == "forced" else send_with()
    if kind == "session":
        client.force_login(alice)
    elif kind != "forced":
        client = send_with(authorization=f"{kind} {key if kind == 'Token' else access}")
    assert client.get(WHOAMI).status_code == 200
    OrganizationMember.objects.filter(user=alice).update(deleted_at=timezone.now())
    response = client.get(WHOAMI)
    assert response.status_code == 403
    assert "not an active member" in response.json()["detail"]


def test_an_account_without_organization_is_refused(send_with: SendWith, alice, key):
    User.objects.filter(pk=alice.pk).update(active_organization=None)
    assert send_with(authorization=f"Token {key}").get(WHOAMI).status_code == 403


def test_the_database_never_holds_a_legacy_key_in_clear(alice, key):
    row = LegacyToken.objects.filter(user=alice).values().get()
    assert all(key not in str(value) for value in row.values())
    assert LegacyToken.objects.get(user=alice).ciphertext


def test_a_session_may_only_change_something_with_a_csrf_token(send_with: SendWith, alice):
    client = send_with()
    client.force_login(alice)
    assert client.get("/api/users/").status_code == 200
    response = client.patch("/api/current-user", {"first_name": "Al"})
    assert response.status_code == 403
    assert "CSRF" in response.json()["detail"]
