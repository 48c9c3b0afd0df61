"""The caller's own account, keys and organizations."""

import json

import pytest
from django.utils import timezone

from tests.conftest import client_of
from users.models import Organization, OrganizationMember, User
from users.organizations import add_member, revoke_member

WHOAMI_KEYS = {
    *("id", "first_name", "last_name", "username", "email", "last_activity", "custom_hotkeys", "avatar", "initials", "phone"),
    *("active_organization", "active_organization_meta", "allow_newsletters", "date_joined", "permissions"),
}


def test_whoami_has_every_key_of_the_contract(api, alice, team):
    team.created_by = alice
    team.save()
    me = api.get("/api/current-user/whoami").json()
    assert set(me) == WHOAMI_KEYS
    assert (me["id"], me["email"], me["username"], me["initials"]) == (alice.pk, alice.email, "alice", "al")
    assert me["active_organization"] == team.pk
    assert me["active_organization_meta"] == {"title": "Harbour", "email": alice.email}
    assert "storages.sync" in me["permissions"]
    assert me["date_joined"].endswith("Z")


def test_people_change_their_own_profile(api, alice):
    changes = {
        "first_name": "Alice",
        "last_name": "Ahoy",
        "phone": "1",
        "allow_newsletters": None,
        "custom_hotkeys": {"a": {"key": "b"}},
    }
    response = api.patch("/api/current-user", changes)
    assert response.status_code == 200
    assert {name: response.json()[name] for name in changes} == changes
    assert response.json()["initials"] == "AA"
    assert api.get("/api/current-user").json() == response.json()


@pytest.mark.parametrize("field", ["id", "email", "date_joined", "last_activity", "is_staff", "is_superuser", "is_active"])
def test_what_the_server_manages_is_ignored_on_input(api, alice, field):
    before = User.objects.values(field).get(pk=alice.pk)
    assert api.patch("/api/current-user", {field: "2020-01-01T00:00:00Z"}).status_code == 200
    assert User.objects.values(field).get(pk=alice.pk) == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"first_name": "x" * 257}, "first_name"),
        ({"first_name": None}, "first_name"),
        ({"first_name": "nul\x00"}, "first_name"),
        ({"allow_newsletters": "perhaps"}, "allow_newsletters"),
        ({"custom_hotkeys": "text"}, "custom_hotkeys"),
        ({"custom_hotkeys": None}, "custom_hotkeys"),
        ({"custom_hotkeys": {"a": "\x00"}}, "custom_hotkeys"),
        ({"custom_hotkeys": {"a": "\ud800"}}, "custom_hotkeys"),
        ({"custom_hotkeys": {"a": "x" * 70_000}}, "custom_hotkeys"),
        ({"password": "short"}, "password"),
        ({"password": "password123"}, "password"),
        ({"active_organization": 10**30}, "active_organization"),
        ({"active_organization": "one"}, "active_organization"),
        ({"active_organization": None}, "active_organization"),
        ([], "non_field_errors"),
    ],
)
def test_a_bad_profile_is_a_400_that_names_the_field_and_saves_nothing(api, alice, body, field):
    before = User.objects.values().get(pk=alice.pk)
    response = api.patch("/api/current-user", json.dumps(body), content_type="application/json")
    assert response.status_code == 400, response.content
    assert list(response.json()["validation_errors"]) == [field]
    assert User.objects.values().get(pk=alice.pk) == before


def test_a_new_password_is_kept_as_a_hash_and_never_shown(api, alice):
    response = api.patch("/api/current-user", {"password": "a-brand-new-one"})
    assert "password" not in response.json()
    alice.refresh_from_db()
    assert alice.check_password("a-brand-new-one")
    assert "a-brand-new-one" not in alice.password


def test_hotkeys_are_read_and_replaced(api):
    assert api.get("/api/current-user/hotkeys/").json() == {"custom_hotkeys": {}}
    hotkeys = {"custom_hotkeys": {"annotation:submit": {"key": "ctrl+enter", "active": True}}}
    assert api.patch("/api/current-user/hotkeys/", hotkeys).json() == hotkeys
    assert api.get("/api/current-user/hotkeys/").json() == hotkeys
    assert api.patch("/api/current-user/hotkeys/", {}).status_code == 400


def test_the_legacy_key_stays_the_same_until_it_is_reset(api, send_with):
    key = api.get("/api/current-user/token").json()["token"]
    assert api.get("/api/current-user/token").json() == {"token": key}
    response = api.post("/api/current-user/reset-token/")
    assert (response.status_code, set(response.json())) == (201, {"token"})
    assert send_with(authorization=f"Token {key}").get("/api/users/").status_code == 401
    assert send_with(authorization=f"Token {response.json()['token']}").get("/api/users/").status_code == 200


def test_a_key_whose_encryption_key_is_gone_still_works_and_says_how_to_get_a_new_one(api, key, send_with, settings):
    settings.STORAGE_ENCRYPTION_KEYS = ["another-key"]
    response = api.get("/api/current-user/token")
    assert response.status_code == 400
    assert "reset-token" in response.json()["detail"]
    assert send_with(authorization=f"Token {key}").get("/api/users/").status_code == 200


def test_whoever_belongs_elsewhere_works_on_there_after_a_revocation(team, bob, charlie):
    elsewhere = charlie.active_organization
    add_member(bob, elsewhere)
    assert revoke_member(bob, team)
    assert not revoke_member(bob, team)
    bob.refresh_from_db()
    assert bob.active_organization == elsewhere
    assert {user["email"] for user in client_of(bob).get("/api/users/").json()} == {bob.email, charlie.email}


def test_people_switch_only_to_organizations_they_belong_to(api, alice, charlie):
    elsewhere = charlie.active_organization
    switch = {"active_organization": elsewhere.pk}
    assert api.patch("/api/current-user", switch).status_code == 400
    add_member(alice, elsewhere)
    response = api.patch("/api/current-user", switch)
    assert response.json()["active_organization_meta"]["title"] == "Elsewhere"
    OrganizationMember.objects.filter(user=alice, organization__title="Harbour").update(deleted_at=timezone.now())
    back = {"active_organization": Organization.objects.get(title="Harbour").pk}
    assert api.patch("/api/current-user", back).status_code == 400


def test_the_token_switches_are_read_and_set_for_the_own_organization_only(api, stranger, team):
    all_on = {"api_tokens_enabled": True, "legacy_api_tokens_enabled": True, "api_token_ttl_days": 73000}
    assert api.get("/api/jwt/settings").json() == all_on
    response = api.post("/api/jwt/settings", {"legacy_api_tokens_enabled": False})
    assert response.json() == {**all_on, "legacy_api_tokens_enabled": False}
    assert stranger.get("/api/jwt/settings").json() == all_on


@pytest.mark.parametrize("body", [{"api_token_ttl_days": 0}, {"api_token_ttl_days": 73001}, {"api_tokens_enabled": None}])
def test_bad_token_switches_are_a_400(api, body):
    assert api.post("/api/jwt/settings", body).status_code == 400
