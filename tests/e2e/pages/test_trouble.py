"""What goes wrong on the way: a slow network, a server that fails or is away, an ended session, going back, two tabs."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.e2e.pages.looking import EMAIL, PASSWORD, Visitor
from tests.e2e.pages.places import PICTURES, Place, bucket

TWICE = "button => { button.click(); button.click(); return button.getAttribute('aria-busy') }"
SLOW = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 20_000}  # ms, bytes a second: 3G


@pytest.fixture
def place(visitor: Visitor) -> Iterator[Place]:
    with bucket(visitor.service.files) as place:
        visitor.allowed_hosts.add(place.host)
        yield place


@pytest.fixture
def home(visitor: Visitor) -> str:
    """The storage pages of a new project."""
    config = '<View><Image name="image" value="$image"/></View>'
    project = visitor.api("POST", "/api/projects/", {"title": "Harbour", "label_config": config})
    return f"/projects/{project['id']}/settings/storage"


def slow(page: Page) -> None:
    """From now on, as on a telephone at sea."""
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", SLOW)


def fill(page: Page, settings: dict[str, str]) -> None:
    for name, text in settings.items():
        page.fill(f"#id-{name}", text)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def at_connection(visitor: Visitor, home: str, place: Place) -> Page:
    """The second step, filled in and not yet sent."""
    page = visitor.open(f"{home}/source/new")
    page.get_by_role("radio", name=place.title, exact=True).check()
    press(page, "Next")
    fill(page, {"title": "Ships"} | place.source)
    return page


def at_settings(visitor: Visitor, home: str, place: Place) -> Page:
    """The third step of a connection that works."""
    page = at_connection(visitor, home, place)
    press(page, "Next")
    expect(page.get_by_role("heading", name="Import settings")).to_be_visible()
    return page


def sign_in_again(page: Page) -> None:
    page.wait_for_url(re.compile(r"/user/login/\?next="))
    page.fill("input[name=username]", EMAIL)
    page.fill("input[name=password]", PASSWORD)
    page.keyboard.press("Enter")


def posts(page: Page) -> list[str]:
    """The paths of all forms that are sent from now on."""
    sent: list[str] = []

    def note(request: Request) -> None:
        if request.method == "POST":
            sent.append(request.url.rpartition("/")[2])

    page.on("request", note)
    return sent


def connected(visitor: Visitor, home: str, place: Place) -> dict[str, Any]:
    about = {"project": int(home.split("/")[2]), "title": "Ships", "prefix": place.prefix, "use_blob_urls": True}
    return visitor.api("POST", "/api/storages/s3", about | place.source)


def test_on_a_slow_network_buttons_show_that_they_work_and_nothing_is_sent_twice(
    visitor: Visitor, home: str, place: Place
) -> None:
    page = at_connection(visitor, home, place)
    slow(page)
    sent = posts(page)
    page.get_by_role("button", name="Test connection").dblclick()
    expect(page.get_by_text("Testing the connection.")).to_be_visible()
    expect(page.locator("#announce")).to_have_text("Connection verified.")
    assert page.get_by_role("button", name="Next").evaluate(TWICE) == "true", "the button does not show that it works"
    expect(page.get_by_role("heading", name="Import settings")).to_be_visible()
    fill(page, {"prefix": place.prefix})
    page.get_by_role("button", name="Load preview").dblclick()
    expect(page.get_by_text("Listing objects.")).to_be_visible()
    expect(page.locator(".objects .key")).to_have_count(PICTURES)
    assert sent == ["test", "connection", "preview"]


def test_saving_twice_makes_one_storage(visitor: Visitor, home: str, place: Place) -> None:
    page = at_settings(visitor, home, place)
    press(page, "Next")
    expect(page.get_by_role("heading", name="Ready to connect")).to_be_visible()
    slow(page)
    assert page.get_by_role("button", name="Save & Sync").evaluate(TWICE) == "true"
    expect(page.get_by_text("its sync has begun")).to_be_visible()
    assert len(visitor.api("GET", f"/api/storages/s3?project={home.split('/')[2]}")) == 1


@pytest.mark.parametrize("status", [500, 503])
def test_a_part_that_fails_says_so_and_works_again_when_the_server_does(
    visitor: Visitor, home: str, place: Place, status: int
) -> None:
    visitor.may_fail = True
    page = at_connection(visitor, home, place)
    page.route("**/test", lambda route: route.fulfill(status=status, body="<h1>trouble</h1>"), times=1)
    press(page, "Test connection")
    told = page.get_by_role("alert").filter(has_text="cannot be reached" if status == 503 else "could not do this (500)")
    expect(told).to_be_visible()
    visitor.glance(f"trouble-{status}")
    expect(page.locator("#id-bucket")).to_have_value("data")
    expect(page.locator("h1")).not_to_have_text("trouble")
    press(page, "Test connection")
    expect(page.locator("#announce")).to_have_text("Connection verified.")
    expect(told).to_be_hidden()


def test_a_form_that_failed_is_there_again_behind_the_back_button(visitor: Visitor, home: str, place: Place) -> None:
    visitor.may_fail = True
    page = at_connection(visitor, home, place)
    page.route("**/connection", lambda route: _fail_post(route))
    press(page, "Next")
    expect(page.get_by_text("out of order")).to_be_visible()
    page.unroute_all()
    page.go_back()
    expect(page.locator("#id-bucket")).to_have_value("data")
    fill(page, place.source)  # the keys are kept nowhere
    press(page, "Next")
    expect(page.get_by_role("heading", name="Import settings")).to_be_visible()


def _fail_post(route: Route) -> None:
    if route.request.method == "POST":
        route.fulfill(status=500, content_type="text/html", body="<!doctype html><title>500</title><p>out of order</p>")
    else:
        route.continue_()


def test_a_network_that_goes_and_comes_is_told_and_the_card_goes_on(visitor: Visitor, home: str, place: Place) -> None:
    visitor.may_fail = True
    source = connected(visitor, home, place)
    place.fake.delay(1.5, match=place.slow)
    visitor.api("POST", f"/api/storages/s3/{source['id']}/sync")
    page = visitor.open(home)
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.context.set_offline(True)
    expect(page.locator("#offline")).to_be_visible()
    visitor.glance("trouble-offline")
    place.fake.heal()
    page.context.set_offline(False)
    expect(page.locator("article .badge")).to_have_text("Completed", timeout=20_000)
    expect(page.locator("#offline")).to_be_hidden()


def test_an_ended_session_comes_back_to_each_step_with_what_was_typed(visitor: Visitor, home: str, place: Place) -> None:
    page = at_connection(visitor, home, place)
    step = page.url
    page.context.clear_cookies(name="sessionid")
    press(page, "Next")
    sign_in_again(page)
    page.wait_for_url(step)
    for name, text in place.source.items():
        expect(page.locator(f"#id-{name}")).to_have_value("" if name.startswith("aws_") else text)
    expect(page.locator("#id-title")).to_have_value("Ships")
    stored = page.evaluate("JSON.stringify([sessionStorage, localStorage])")
    assert not [text for name, text in place.source.items() if name.startswith("aws_") and text in stored]
    fill(page, place.source)
    press(page, "Next")
    page.fill("#id-prefix", "ships")
    page.context.clear_cookies(name="sessionid")
    press(page, "Load preview")
    sign_in_again(page)
    expect(page.locator("#id-prefix")).to_have_value("ships")
    press(page, "Load preview")
    expect(page.locator(".objects .key")).to_have_count(PICTURES)
    press(page, "Next")
    expect(page.get_by_role("heading", name="Ready to connect")).to_be_visible()
    page.context.clear_cookies(name="sessionid")
    press(page, "Save & Sync")
    sign_in_again(page)
    expect(page.get_by_role("heading", name="Ready to connect")).to_be_visible()
    assert visitor.api("GET", f"/api/storages/s3?project={home.split('/')[2]}") == [], "nothing was saved"
    press(page, "Save & Sync")
    expect(page.get_by_text("its sync has begun")).to_be_visible()


def test_every_step_survives_a_reload_and_the_back_button(visitor: Visitor, home: str, place: Place) -> None:
    visitor.may_fail = True  # Chromium logs the 404 of the draft that was saved
    page = at_settings(visitor, home, place)
    page.fill("#id-prefix", "ships")
    press(page, "Load preview")
    expect(page.locator(".objects .key")).to_have_count(PICTURES)
    press(page, "Next")
    headings = ["Choose your cloud storage provider", place.title, "Import settings", "Ready to connect"]
    for heading in reversed(headings[1:]):
        expect(page.get_by_role("heading", level=2).first).to_have_text(heading)
        page.reload()
        expect(page.get_by_role("heading", level=2).first).to_have_text(heading)
        page.get_by_role("button", name="Previous").click()
    expect(page.get_by_role("radio", name=place.title, exact=True)).to_be_checked()
    page.reload()
    press(page, "Next")
    expect(page.locator("#id-bucket")).to_have_value("data")
    page.go_back()
    page.go_forward()
    expect(page.get_by_role("heading", level=1)).to_have_text("Connect Source Storage")
    page.get_by_role("button", name="Review & Confirm").click()
    press(page, "Save")
    expect(page.get_by_text("Ships is connected.")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert len(visitor.api("GET", f"/api/storages/s3?project={home.split('/')[2]}")) == 1


def test_two_tabs_of_one_draft_end_in_one_storage_and_a_page_that_says_so(visitor: Visitor, home: str, place: Place) -> None:
    visitor.may_fail = True  # Chromium logs the 404 of the draft that is gone
    page = at_settings(visitor, home, place)
    press(page, "Next")
    expect(page.get_by_role("heading", name="Ready to connect")).to_be_visible()
    other = page.context.new_page()
    other.goto(page.url)
    press(page, "Save")
    expect(page.get_by_text("Ships is connected.")).to_be_visible()
    press(other, "Save & Sync")
    expect(other.get_by_role("main")).to_contain_text("saved")
    assert len(visitor.api("GET", f"/api/storages/s3?project={home.split('/')[2]}")) == 1
