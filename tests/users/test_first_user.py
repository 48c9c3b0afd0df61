"""The account a server starts with, and the command that adds more."""

import io

import pytest
from django.core.management import CommandError, call_command

from users.first_user import ensure_first_user
from users.models import LegacyToken, Organization, User
from users.organizations import is_active_member, revoke_member

pytestmark = pytest.mark.django_db


def create_user(*arguments: str) -> dict[str, str]:
    out = io.StringIO()
    call_command("create_user", *arguments, stdout=out)
    return dict(line.split(": ", 1) for line in out.getvalue().splitlines())


def test_an_empty_database_gets_an_organization_and_a_superuser_with_the_given_values(send_with):
    first = ensure_first_user("Captain@Harbour.example", "given-password", "given-key")
    assert (first.email, first.password, first.token) == ("captain@harbour.example", "given-password", "given-key")
    user = User.objects.get()
    assert user.is_superuser
    assert user.check_password("given-password")
    assert is_active_member(user)
    assert Organization.objects.get().created_by == user
    assert send_with(authorization="Token given-key").get("/api/current-user/whoami").status_code == 200


def test_missing_values_are_chosen_at_random():
    first = ensure_first_user()
    assert User.objects.get(email=first.email).check_password(first.password)
    assert len(first.password) >= 16
    assert len(first.token) == 40


def test_secrets_do_not_show_when_the_result_is_logged():
    first = ensure_first_user()
    assert first.password not in repr(first)
    assert first.token not in repr(first)


def test_a_restart_changes_nothing_and_knows_no_password():
    first = ensure_first_user("captain@harbour.example", "given-password", "given-key")
    again = ensure_first_user("captain@harbour.example", "other-password", "other-key")
    assert (again.email, again.password, again.token) == (first.email, None, "given-key")
    assert User.objects.get().check_password("given-password")
    assert ensure_first_user("other@harbour.example").email == first.email
    assert Organization.objects.count() == User.objects.count() == LegacyToken.objects.count() == 1


@pytest.mark.parametrize(
    ("email", "token", "said"),
    [
        ("captain", "", "not an email address"),
        ("", "two parts", "blanks"),
        ("", "naïve", "ASCII"),
        ("", "a.b.c", "JWT"),
        ("", "x" * 257, "256"),
    ],
)
def test_values_nobody_could_sign_in_with_are_refused_before_anything_is_made(email, token, said):
    with pytest.raises(ValueError, match=said):
        ensure_first_user(email, "given-password", token)
    assert not User.objects.exists()


def test_the_command_adds_a_member_to_the_oldest_organization(team, send_with):
    printed = create_user("Dora@Harbour.example")
    dora = User.objects.get(email="dora@harbour.example")
    assert dora.active_organization == team
    assert dora.check_password(printed["password"])
    assert send_with(authorization=f"Token {printed['token']}").get("/api/users/").status_code == 200


def test_the_command_makes_the_named_organization_when_there_is_none(team):
    printed = create_user("dora@lighthouse.example", "--organization", "Lighthouse", "--password", "given-password")
    assert printed["organization"] == "Lighthouse"
    assert User.objects.get().check_password("given-password")
    create_user("emil@lighthouse.example", "--organization", "Lighthouse")
    assert Organization.objects.filter(title="Lighthouse").count() == 1


def test_the_command_takes_a_revoked_member_back_without_a_new_password(bob, team):
    revoke_member(bob, team)
    assert "password" not in create_user(bob.email)
    bob.refresh_from_db()
    assert is_active_member(bob)
    assert bob.check_password("secret-pass-1")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no address"], "not an email address"),
        (["bob@harbour.example", "--password", "x"], "changepassword"),
        (["dora@harbour.example", "--organization", "Twin"], "several organizations"),
    ],
)
def test_the_command_refuses_what_is_unclear_and_leaves_nothing(bob, arguments, said):
    Organization.objects.bulk_create([Organization(title="Twin"), Organization(title="Twin")])
    with pytest.raises(CommandError, match=said):
        create_user(*arguments)
    assert User.objects.count() == 1
