"""Projects, account and organization in a browser: seen in both themes and widths, and used by keyboard."""

import re

from playwright.sync_api import expect

from tests.e2e.pages.looking import Visitor

EVIL = '<img src=x onerror="document.title=1">'


def test_a_project_is_created_with_a_config_that_is_checked_while_typing(visitor: Visitor) -> None:
    page = visitor.open("/projects/new")
    visitor.look("project-new")
    page.get_by_label("Title").fill("Harbour cameras")
    page.get_by_role("button", name="Images").click()
    expect(page.locator("#config-check")).to_contain_text("Tasks need image")
    page.get_by_label("Labeling setup").fill("<View><Image></View>")
    expect(page.locator("#config-check")).to_contain_text("not well-formed")
    page.get_by_role("button", name="Create project").click()
    expect(page.locator("#error-label_config")).to_contain_text("not well-formed")
    visitor.look("project-new-refused")
    page.get_by_role("button", name="Images").click()
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Create project").click()
    page.wait_for_url(re.compile(r"/projects/\d+/settings/storage"))
    visitor.open("/projects")
    expect(page.get_by_role("link", name="Harbour cameras", exact=True)).to_be_visible()


def test_projects_and_a_project_look_right_also_with_hostile_titles(visitor: Visitor) -> None:
    folder = visitor.service.files / "hostile"
    folder.mkdir(exist_ok=True)
    for title in (EVIL, "\u202eright to left \u202c", "x" * 50, "Ships"):
        made = visitor.api("POST", "/api/projects/", {"title": title})
        local = {"project": made["id"], "path": str(folder), "title": EVIL * 4, "use_blob_urls": True}
        visitor.api("POST", "/api/storages/localfiles/", local)
    page = visitor.open("/projects")
    expect(page.get_by_role("heading", name=EVIL)).to_be_visible()
    visitor.look("projects")
    visitor.open(f"/projects/{made['id']}/")
    visitor.look("project-overview")
    visitor.open(f"/projects/{made['id']}/settings")
    visitor.look("project-settings")


def test_a_search_without_a_result_says_so(visitor: Visitor) -> None:
    visitor.open("/projects?search=nothing-like-this")
    expect(visitor.page.get_by_text("No project is called like")).to_be_visible()
    visitor.look("projects-none-found")


def test_a_token_is_created_copied_once_and_revoked(visitor: Visitor) -> None:
    visitor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visitor.open("/user/account")
    page.get_by_role("button", name="Create token").click()
    token = page.locator("#new-token").inner_text()
    visitor.look("account-new-token")
    page.get_by_role("button", name="Copy token").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == token
    visitor.open("/user/account")
    assert token not in page.content()
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("status")).to_contain_text("revoked")
    visitor.look("account")


def test_a_colleague_is_added_and_removed_by_keyboard(visitor: Visitor) -> None:
    page = visitor.open("/organization")
    page.get_by_label("Email").fill("no address")
    page.keyboard.press("Enter")
    expect(page.locator("#error-email")).to_be_visible()
    visitor.look("organization-refused")
    page.get_by_label("Email").fill("dora@harbour.example")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("is a member now")
    remove = page.get_by_role("button", name="Remove dora@harbour.example")
    remove.focus()
    page.keyboard.press("Enter")
    visitor.look("organization-remove")
    page.keyboard.press("Escape")
    expect(remove).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Remove").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("no longer a member")


def test_the_theme_is_kept_and_the_account_menu_works_by_keyboard(visitor: Visitor) -> None:
    page = visitor.open("/projects")
    toggle = page.get_by_role("button", name=re.compile("Theme"))
    toggle.press("Enter")
    toggle.press("Enter")
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    menu = page.locator("details.account")
    menu.locator("summary").press("Enter")
    menu.locator("summary").press("ArrowDown")
    expect(page.get_by_role("link", name="Account & access tokens")).to_be_focused()
    visitor.page.screenshot()
    page.keyboard.press("Escape")
    expect(menu.locator("summary")).to_be_focused()


def test_an_ended_session_leads_back_to_the_page_after_signing_in(visitor: Visitor) -> None:
    page = visitor.open("/projects/new")
    expect(page.locator("#config-check")).to_contain_text("No labeling setup")
    page.context.clear_cookies(name="sessionid")
    page.get_by_label("Labeling setup").press_sequentially("<View/>")
    page.wait_for_url(re.compile(r"/user/login/\?next=/projects/new"))
    page.fill("input[name=username]", "sailor@harbour.example")
    page.fill("input[name=password]", "a-long-password-1")
    page.click("main [type=submit]")
    page.wait_for_url(re.compile(r"/projects/new$"))


def test_a_server_that_is_away_is_told_and_forgotten_when_it_is_back(visitor: Visitor) -> None:
    visitor.may_fail = True
    page = visitor.open("/projects/new")
    page.route("**/projects/check-config", lambda route: route.abort())
    page.get_by_label("Labeling setup").press_sequentially("<")
    expect(page.locator("#offline")).to_be_visible()
    page.unroute("**/projects/check-config")
    page.get_by_label("Labeling setup").press_sequentially("V")
    expect(page.locator("#offline")).to_be_hidden()
