"""Signing in and out with a browser."""

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from users.models import User
from users.organizations import revoke_member

LOGIN = "/user/login/"
GOOD = {"username": "alice@harbour.example", "password": "secret-pass-1"}


def csrf_of(page: bytes) -> str:
    return re.search(rb'name="csrfmiddlewaretoken" value="(\w+)"', page).group(1).decode()


def sign_in(client: Client, **fields: str):
    page = client.get(LOGIN).content
    return client.post(LOGIN, {"csrfmiddlewaretoken": csrf_of(page), **GOOD, **fields})


@pytest.fixture
def browser(alice) -> Client:
    return Client(enforce_csrf_checks=True)


def test_signing_in_opens_the_api_in_the_same_browser(browser, alice):
    before = alice.last_activity
    response = sign_in(browser)
    assert (response.status_code, response["Location"]) == (302, "/")
    assert browser.get("/api/current-user/whoami").json()["email"] == alice.email
    alice.refresh_from_db()
    assert alice.last_activity > before


def test_an_email_is_the_same_in_upper_case(browser):
    assert sign_in(browser, username="ALICE@Harbour.example").status_code == 302


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"password": "wrong"}, "Email or password is wrong"),
        ({"username": "nobody@harbour.example"}, "Email or password is wrong"),
        ({"username": "no address"}, "Enter a valid email address"),
        ({"username": "", "password": ""}, "This field is required"),
        ({"username": "alice@harbour.example\x00"}, "Null characters are not allowed"),
    ],
)
def test_a_failed_sign_in_says_why_and_keeps_the_browser_out(browser, fields, message):
    response = sign_in(browser, **fields)
    assert response.status_code == 200
    assert message in response.content.decode()
    assert browser.get("/api/current-user/whoami").status_code == 401


def test_a_revoked_member_is_told_so(browser, alice):
    revoke_member(alice, alice.active_organization)
    assert "no longer a member" in sign_in(browser).content.decode()


def test_an_inactive_account_cannot_sign_in(browser, alice):
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert "Email or password is wrong" in sign_in(browser).content.decode()


def test_signing_in_without_the_form_s_csrf_token_is_refused(browser):
    browser.get(LOGIN)
    assert browser.post(LOGIN, GOOD).status_code == 403


@pytest.mark.parametrize(
    ("target", "lands"),
    [
        ("/projects/1/settings", "/projects/1/settings"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("\\\\evil.example", "/"),
    ],
)
def test_signing_in_leads_on_only_within_this_host(browser, target, lands):
    assert sign_in(browser, next=target)["Location"] == lands


def test_the_next_page_survives_a_mistyped_password_and_is_escaped(browser):
    page = browser.get(LOGIN, {"next": '/x?"><script>'}).content.decode()
    assert "<script>" not in page
    assert "/x?&quot;" in page


def test_signing_out_needs_a_post_with_the_csrf_token(browser):
    sign_in(browser)
    assert browser.get("/user/logout/").status_code == 405
    assert browser.post("/user/logout/").status_code == 403
    response = browser.post("/user/logout/", {"csrfmiddlewaretoken": browser.cookies["csrftoken"].value})
    assert (response.status_code, response["Location"]) == (302, LOGIN)
    assert browser.get("/api/current-user/whoami").status_code == 401


def test_the_page_needs_nothing_from_other_hosts_and_nothing_inline(browser):
    page = browser.get(LOGIN).content.decode()
    assert not re.search(r"https?://|<script(?! src=\"/static/)|<style|\sstyle=|\son\w+=", page)
    assert 'href="/static/users/site.css"' in page
    assert 'name="viewport"' in page
    style = Path(finders.find("users/tokens.css")).read_text()
    assert "light-dark(" in style
    assert "url(" not in style
