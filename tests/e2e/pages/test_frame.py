"""What every page shares: sign-in, headers, errors as pages, the way back after a lost session."""

import re

import urllib3
from playwright.sync_api import expect

from tests.e2e.pages.looking import Visitor


def test_the_sign_in_page_is_accessible_and_says_what_was_wrong(stranger: Visitor) -> None:
    page = stranger.open("/projects")
    expect(page).to_have_url(re.compile(r"/user/login/\?next=/projects"))
    stranger.look("sign-in")
    page.fill("input[name=username]", "sailor@harbour.example")
    page.fill("input[name=password]", "wrong")
    page.click("main [type=submit]")
    expect(page.get_by_role("alert").first).to_contain_text("Email or password is wrong")
    stranger.look("sign-in-refused")


def test_a_path_that_leads_nowhere_is_a_page_for_people_and_json_for_programs(visitor: Visitor) -> None:
    visitor.may_fail = True  # Chromium logs the 404
    page = visitor.open("/no/such/page")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is nothing here")
    visitor.look("not-found")
    assert urllib3.request("GET", visitor.service.url + "/no/such/page").json()["status_code"] == 404


def test_no_page_may_be_framed_or_run_foreign_code(visitor: Visitor) -> None:
    answer = urllib3.request("GET", visitor.service.url + "/user/login/")
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy and "unsafe" not in policy and "default-src 'none'" in policy
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_the_api_documentation_works_without_inline_scripts(visitor: Visitor) -> None:
    page = visitor.open("/docs/")
    expect(page.get_by_text("Quayside", exact=False).first).to_be_visible()
    expect(page.locator(".opblock").first).to_be_visible()
