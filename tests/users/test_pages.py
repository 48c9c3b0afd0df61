"""The pages of the account and the organization."""

import pytest
from django.test import Client

from users import legacy_tokens, personal_tokens
from users.models import User
from users.organizations import add_member, members

pytestmark = pytest.mark.django_db
POSTS = ["/user/account/token", "/user/account/token/1/revoke", "/user/account/key", "/user/account/key/reset"]
POSTS += ["/organization", "/organization/members/1/remove", "/organization/tokens"]


@pytest.fixture
def browser(alice) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def test_a_token_is_shown_once_works_and_can_be_revoked(browser, alice):
    page = browser.post("/user/account/token")
    token = page.context["new_token"]
    assert token in page.content.decode() and "no-store" in page["Cache-Control"]
    assert token not in browser.get("/user/account").content.decode()
    access = Client().post("/api/token/refresh", {"refresh": token}, "application/json").json()["access"]
    assert Client().get("/api/current-user/whoami", headers={"Authorization": f"Bearer {access}"}).status_code == 200
    [row] = personal_tokens.live_tokens(alice)
    browser.post(f"/user/account/token/{row.pk}/revoke")
    assert Client().post("/api/token/refresh", {"refresh": token}, "application/json").status_code == 401


def test_a_second_token_is_refused_in_words(browser):
    browser.post("/user/account/token")
    page = browser.post("/user/account/token", follow=True)
    assert "You already have a token" in page.content.decode()


def test_nobody_revokes_a_token_of_somebody_else(browser, bob):
    personal_tokens.create_token(bob)
    [row] = personal_tokens.live_tokens(bob)
    assert "had ended already" in browser.post(f"/user/account/token/{row.pk}/revoke", follow=True).content.decode()
    assert personal_tokens.live_tokens(bob).exists()


def test_the_legacy_key_is_shown_on_request_only_and_replaced(browser, alice):
    key = legacy_tokens.show_key(alice)
    assert key not in browser.get("/user/account").content.decode()
    assert key in browser.post("/user/account/key").content.decode()
    new = browser.post("/user/account/key/reset").context["legacy_key"]
    assert new != key and legacy_tokens.show_key(alice) == new


def test_tokens_that_the_organization_does_not_accept_are_not_offered(browser, team):
    team.api_tokens_enabled = False
    team.save()
    page = browser.get("/user/account").content.decode()
    assert "Create token" not in page
    assert not browser.post("/user/account/token", follow=True).context.get("new_token")


def test_a_colleague_is_added_and_removed(browser, team, alice):
    form = {"email": "Dora@harbour.example", "first_name": "Dora", "last_name": "", "password": "a-good-long-secret-7"}
    assert browser.post("/organization", form).status_code == 302
    dora = User.objects.get(email="dora@harbour.example")
    assert dora in members(team.pk) and dora.check_password(form["password"])
    browser.post(f"/organization/members/{dora.pk}/remove")
    assert dora not in members(team.pk)


@pytest.mark.parametrize(
    ("change", "field"),
    [({"email": "no address"}, "email"), ({"email": "alice@harbour.example"}, "email"), ({"password": "123"}, "password")],
)
def test_a_bad_colleague_is_told_beside_the_field_and_the_password_is_never_sent_back(browser, change, field):
    form = {"email": "dora@harbour.example", "first_name": "Dora", "password": "a-good-long-secret-7"} | change
    page = browser.post("/organization", form)
    text = page.content.decode()
    assert f'id="error-{field}"' in text and form["password"] not in text and "Dora" in text
    assert not User.objects.filter(email="dora@harbour.example").exists()


def test_people_remove_neither_themselves_nor_strangers(browser, alice, charlie, team):
    assert "cannot remove yourself" in browser.post(f"/organization/members/{alice.pk}/remove", follow=True).content.decode()
    assert browser.post(f"/organization/members/{charlie.pk}/remove").status_code == 404
    assert alice in members(team.pk)


def test_the_token_switches_are_saved(browser, team):
    browser.post("/organization/tokens", {"api_tokens_enabled": "true"})
    team.refresh_from_db()
    assert (team.api_tokens_enabled, team.legacy_api_tokens_enabled) == (True, False)


@pytest.mark.parametrize("path", [*POSTS, "/user/account"])
def test_nobody_changes_anything_by_a_link_or_without_the_forms_own_token(path, alice):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    if path in POSTS and path != "/organization":
        assert strict.get(path).status_code == 405
    assert strict.post(path).status_code in (403, 405)
    assert Client().post(path).status_code in (302, 405)


def test_a_colleagues_name_is_text(browser, bob, team):
    User.objects.filter(pk=bob.pk).update(first_name="<script>alert(1)</script>")
    add_member(bob, team)
    assert "<script>alert" not in browser.get("/organization").content.decode()
