"""Errors that people see as pages: the way back after a lost session, a database that is away, a page that is too old."""

import pytest
from django.db import OperationalError
from django.test import Client

from projects.models import Project

pytestmark = pytest.mark.django_db
HTML = {"Accept": "text/html"}


@pytest.mark.parametrize(
    ("referer", "back"),
    [
        ("http://testserver/projects/7/settings/storage?a=1", "/projects/7/settings/storage%3Fa%3D1"),
        ("https://evil.example/projects", "/"),
        ("", "/"),
    ],
)
def test_a_form_that_was_sent_without_a_session_leads_back_to_its_page(referer, back):
    answer = Client().post("/user/account/token", headers={"Referer": referer} if referer else {})
    assert answer.status_code == 302 and answer["Location"] == f"/user/login/?next={back}"


def test_a_database_that_is_away_is_waited_for(alice, monkeypatch):
    browser = Client(raise_request_exception=False)
    browser.force_login(alice)

    def away(*_, **__):
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(Project.objects, "filter", away)
    page = browser.get("/projects/1/", headers=HTML)
    assert (page.status_code, page["Refresh"]) == (503, "5") and "waits for its database" in page.content.decode()
    assert "Refresh" not in browser.post("/projects/1/settings", headers=HTML)
    assert browser.get("/projects/1/").json()["status_code"] == 503


def test_a_form_without_the_present_token_is_told_to_be_too_old(alice):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    answer = strict.post("/user/account/token", headers=HTML)
    assert (answer.status_code, answer["X-Page"]) == (403, "stale") and "too old" in answer.content.decode()
