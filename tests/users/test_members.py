"""The members of an organization: who sees, adds, changes and removes whom."""

import pytest

from tests.conftest import client_of
from users.models import OrganizationMember, User
from users.organizations import add_member, is_active_member, revoke_member


def test_the_members_are_a_bare_array_without_strangers_and_revoked_people(api, alice, bob, charlie):
    assert [user["id"] for user in api.get("/api/users/").json()] == [alice.pk, bob.pk]
    revoke_member(bob, alice.active_organization)
    assert [user["id"] for user in api.get("/api/users/").json()] == [alice.pk]


def test_listing_members_takes_as_many_queries_for_fifty_as_for_one(api, team, django_assert_num_queries):
    crew = User.objects.bulk_create([User(email=f"sailor{number}@harbour.example") for number in range(50)])
    OrganizationMember.objects.bulk_create([OrganizationMember(user=user, organization=team) for user in crew])
    with django_assert_num_queries(2):  # membership of the caller, members
        assert len(api.get("/api/users/").json()) == 51


@pytest.mark.parametrize("verb", ["get", "patch", "delete"])
def test_a_user_of_another_organization_does_not_exist(api, charlie, verb):
    response = getattr(api, verb)(f"/api/users/{charlie.pk}/")
    assert response.status_code == 404
    assert response.json()["detail"] == "No User matches the given query."
    assert is_active_member(charlie)


@pytest.mark.parametrize("pk", ["0", "999999", "9" * 30, "one", "-1"])
def test_an_unknown_user_is_a_404_in_the_envelope(api, pk):
    response = api.get(f"/api/users/{pk}/")
    assert response.status_code == 404
    assert response.json()["status_code"] == 404


def test_a_colleague_shows_nothing_of_other_organizations(api, team, bob, charlie):
    add_member(bob, charlie.active_organization)
    User.objects.filter(pk=bob.pk).update(active_organization=charlie.active_organization)
    shown = api.get(f"/api/users/{bob.pk}/").json()
    assert shown["active_organization"] == team.pk
    assert "Elsewhere" not in str(shown)


def test_a_member_adds_a_colleague_who_can_work_at_once(api, team):
    body = {"email": "Dora@Harbour.example", "username": "dora", "password": "a-brand-new-one", "is_superuser": True}
    response = api.post("/api/users/", body)
    assert response.status_code == 201
    assert (response.json()["email"], response.json()["active_organization"]) == ("dora@harbour.example", team.pk)
    dora = User.objects.get(email="dora@harbour.example")
    assert dora.check_password("a-brand-new-one")
    assert not dora.is_superuser
    assert client_of(dora).get("/api/users/").status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"username": "nobody"}, "email"),
        ({"email": "no address"}, "email"),
        ({"email": "ALICE@harbour.example"}, "email"),
        ({"email": "charlie@elsewhere.example"}, "email"),
        ({"email": f"{'x' * 250}@harbour.example"}, "email"),
        ({"email": "dora@harbour.example", "password": "short"}, "password"),
        ({"email": "dora@harbour.example", "custom_hotkeys": []}, "custom_hotkeys"),
    ],
)
def test_a_bad_new_user_is_a_400_and_leaves_nothing(api, charlie, body, field):
    before = User.objects.count()
    response = api.post("/api/users/", body)
    assert response.status_code == 400
    assert list(response.json()["validation_errors"]) == [field]
    assert User.objects.count() == before


def test_nobody_changes_a_colleagues_account(api, alice, bob):
    assert api.patch(f"/api/users/{bob.pk}/", {"password": "taken-over-by-alice"}).status_code == 403
    bob.refresh_from_db()
    assert bob.check_password("secret-pass-1")
    assert api.patch(f"/api/users/{alice.pk}/", {"first_name": "Al"}).json()["first_name"] == "Al"


def test_deleting_a_member_revokes_the_membership_and_keeps_the_account(api, bob):
    assert api.delete(f"/api/users/{bob.pk}/").status_code == 204
    assert User.objects.filter(pk=bob.pk).exists()
    assert OrganizationMember.objects.get(user=bob).deleted_at is not None
    assert client_of(bob).get("/api/current-user/whoami").status_code == 403
    assert api.get(f"/api/users/{bob.pk}/").status_code == 404
    assert api.delete(f"/api/users/{bob.pk}/").status_code == 404


def test_nobody_removes_themselves(api, alice):
    assert api.delete(f"/api/users/{alice.pk}/").status_code == 403
    assert is_active_member(alice)
