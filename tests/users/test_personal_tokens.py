"""The life of a JWT personal access token: create, list, refresh, rotate, blacklist."""

import datetime

import jwt
import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from tests.conftest import client_of
from tests.users.conftest import SendWith
from users import personal_tokens
from users.models import OrganizationMember, PersonalToken, User

BASE = "/api/token/"
YEAR = 365 * 24 * 3600


def refresh_with(token: object) -> tuple[int, dict]:
    response = APIClient().post(f"{BASE}refresh/", {"refresh": token})
    return response.status_code, response.json()


def test_a_new_token_is_shown_in_full_once_and_lives_two_hundred_years(api, alice):
    response = api.post(BASE)
    assert (response.status_code, set(response.json())) == (201, {"token"})
    claims = jwt.decode(response.json()["token"], options={"verify_signature": False})
    assert (claims["token_type"], claims["user_id"]) == ("refresh", str(alice.pk))
    assert claims["exp"] - claims["iat"] == 200 * YEAR


def test_the_listing_is_a_bare_array_of_live_tokens_without_their_signature(api, bob):
    token = api.post(BASE).json()["token"]
    personal_tokens.create_token(bob)
    (listed,) = api.get(BASE).json()
    assert set(listed) == {"token", "created_at", "expires_at"}
    assert listed["token"] == token.rpartition(".")[0]
    signature = token.rpartition(".")[2]
    assert all(signature not in str(row) for row in PersonalToken.objects.values())


def test_a_second_token_is_refused_while_the_first_is_live(api):
    first = api.post(BASE).json()["token"]
    response = api.post(BASE)
    assert response.status_code == 409
    assert "already have a valid token" in response.json()["detail"]
    assert api.post(f"{BASE}blacklist/", {"refresh": first}).status_code == 204
    assert api.post(BASE).status_code == 201


def test_the_organization_decides_how_long_new_tokens_live(api, team):
    assert api.post("/api/jwt/settings", {"api_token_ttl_days": 7}).json()["api_token_ttl_days"] == 7
    team.refresh_from_db()
    claims = jwt.decode(client_of(User.objects.get()).post(BASE).json()["token"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 7 * 24 * 3600


def test_a_refresh_token_buys_an_access_token_that_opens_the_api(refresh, send_with: SendWith, alice):
    status, body = refresh_with(refresh)
    assert (status, set(body)) == (200, {"access"})
    response = send_with(authorization=f"Bearer {body['access']}").get("/api/current-user/whoami")
    assert response.json()["id"] == alice.pk


def test_refresh_does_not_look_at_other_credentials(refresh, send_with: SendWith):
    response = send_with(authorization="Token broken").post(f"{BASE}refresh/", {"refresh": refresh})
    assert response.status_code == 200


def expired(alice: User) -> str:
    past = timezone.now() - datetime.timedelta(days=1)
    return personal_tokens._sign(alice.pk, "refresh", "b" * 32, past, past)


def of_nobody(alice: User) -> str:
    soon = timezone.now() + datetime.timedelta(days=1)
    return personal_tokens._sign(alice.pk, "refresh", "c" * 32, timezone.now(), soon)


def of_another_user(alice: User) -> str:
    jti = jwt.decode(personal_tokens.create_token(alice), options={"verify_signature": False})["jti"]
    soon = timezone.now() + datetime.timedelta(days=1)
    return personal_tokens._sign(alice.pk + 1, "refresh", jti, timezone.now(), soon)


@pytest.mark.parametrize("make", [expired, of_nobody, of_another_user, personal_tokens.issue_access, lambda alice: "garbage"])
def test_a_token_that_is_not_live_buys_nothing(alice, bob, make):
    response = APIClient().post(f"{BASE}refresh/", {"refresh": make(alice)})
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Token"
    assert response.json()["status_code"] == 401


@pytest.mark.parametrize(
    "body", [{}, {"refresh": ""}, {"refresh": None}, {"refresh": [1]}, {"refresh": "a" * 5000}, [], "text", None]
)
@pytest.mark.parametrize("action", ["refresh", "rotate", "blacklist"])
def test_a_body_without_a_usable_token_is_a_400(api, action, body):
    response = api.post(f"{BASE}{action}/", body)
    assert response.status_code == 400
    assert response.json()["validation_errors"]


def deactivate(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)


def revoke(alice: User) -> None:
    OrganizationMember.objects.filter(user=alice).update(deleted_at=timezone.now())


def switch_off(alice: User) -> None:
    alice.active_organization.api_tokens_enabled = False
    alice.active_organization.save()


@pytest.mark.parametrize("happens", [deactivate, revoke, switch_off])
def test_refreshing_ends_with_the_account_the_membership_or_the_switch(alice, refresh, happens):
    assert refresh_with(refresh)[0] == 200
    happens(alice)
    assert refresh_with(refresh)[0] == 401


def test_no_token_is_made_where_the_organization_switched_them_off(api, alice):
    switch_off(alice)
    assert api.post(BASE).status_code == 403
    assert not PersonalToken.objects.exists()


def test_rotating_gives_a_new_token_and_ends_the_old_one(api, refresh):
    response = api.post(f"{BASE}rotate/", {"refresh": refresh})
    assert (response.status_code, set(response.json())) == (200, {"refresh"})
    assert refresh_with(response.json()["refresh"])[0] == 200
    assert refresh_with(refresh)[0] == 401
    again = api.post(f"{BASE}rotate/", {"refresh": refresh})
    assert again.status_code == 400
    assert list(again.json()["validation_errors"]) == ["refresh"]


def test_blacklisting_twice_is_a_404_with_a_bare_detail(api, refresh):
    assert api.post(f"{BASE}blacklist/", {"refresh": refresh}).status_code == 204
    assert refresh_with(refresh)[0] == 401
    assert api.get(BASE).json() == []
    again = api.post(f"{BASE}blacklist/", {"refresh": refresh})
    assert (again.status_code, set(again.json())) == (404, {"detail"})


@pytest.mark.parametrize(("action", "status"), [("rotate", 400), ("blacklist", 404)])
def test_somebody_elses_token_stays_as_it_is(bob, stranger, refresh, action, status):
    for client in (client_of(bob), stranger):
        assert client.post(f"{BASE}{action}/", {"refresh": refresh}).status_code == status
    assert refresh_with(refresh)[0] == 200


@pytest.mark.parametrize("action", ["rotate", "blacklist"])
def test_rotating_and_blacklisting_need_a_signed_in_caller(refresh, action):
    assert APIClient().post(f"{BASE}{action}/", {"refresh": refresh}).status_code == 401
