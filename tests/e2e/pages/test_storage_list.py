"""Settings → Cloud Storage in a browser: cards that follow a sync by themselves, the keyboard, plan, snapshot, deletion."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.pages.looking import Visitor
from tests.e2e.server import until
from tests.fakes.s3 import S3Fake

HOSTILE = "<img src=x onerror=alert(1)> \u202efdp.exe " + "w" * 200
PICTURES = 24


@pytest.fixture
def bucket() -> Iterator[S3Fake]:
    """Pages of four keys, so that a slow listing moves on in many steps."""
    with S3Fake(page_cap=4) as s3:
        for name in ("data", "out"):
            s3.create_bucket(name)
        for number in range(PICTURES):
            s3.put("data", f"{number:03}.png", b"1", "image/png")
        s3.put("data", "notes.txt", b"1")
        s3.put("data", "inner/deep.png", b"1")
        yield s3


@pytest.fixture
def project(visitor: Visitor) -> int:
    return visitor.api("POST", "/api/projects/", {"title": "Ships"})["id"]


@pytest.fixture
def connect(visitor: Visitor, bucket: S3Fake, project: int) -> Any:
    """Connects the bucket: ``connect("s3", title="…")`` or ``connect("export/s3", …)``; the storage's JSON."""

    def post(route: str, **more: Any) -> dict[str, Any]:
        place = {"bucket": "out" if "export" in route else "data", "s3_endpoint": bucket.url}
        keys = {"aws_access_key_id": bucket.access_key, "aws_secret_access_key": bucket.secret_key}
        own = {"regex_filter": r".*\.png", "use_blob_urls": True} if route == "s3" else {}
        return visitor.api(
            "POST", f"/api/storages/{route}", {"project": project, "title": "Harbour bucket"} | place | keys | own | more
        )

    return post


def synced(visitor: Visitor, route: str, pk: int) -> None:
    visitor.api("POST", f"/api/storages/{route}/{pk}/sync", {})
    ended = {"completed", "completed_with_errors", "failed"}
    until(lambda: visitor.api("GET", f"/api/storages/{route}/{pk}")["status"] in ended, 20, "the sync has ended")


def cards(visitor: Visitor, project: int) -> Page:
    return visitor.open(f"/projects/{project}/settings/storage")


def test_an_empty_project_offers_both_sides(visitor: Visitor, project: int) -> None:
    page = cards(visitor, project)
    expect(page.get_by_role("heading", name="Add your first cloud storage")).to_be_visible()
    expect(page.get_by_role("link", name="Add Source Storage")).to_have_attribute(
        "href", f"/projects/{project}/settings/storage/source/new"
    )
    visitor.look("storage-empty")


def test_a_sync_is_followed_without_a_reload_and_cancelled_by_keyboard(
    visitor: Visitor, bucket: S3Fake, project: int, connect: Any
) -> None:
    source = connect("s3")
    synced(visitor, "s3", source["id"])
    for number in range(PICTURES, 2 * PICTURES):
        bucket.put("data", f"{number:03}.png", b"1", "image/png")
    page = cards(visitor, project)
    page.evaluate("window.same = true")
    expect(page.get_by_text(f"{PICTURES} ({PICTURES} new)")).to_be_visible()
    bucket.delay(2, match="^/data/?$")
    page.get_by_role("button", name="Sync Storage").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#told")).to_contain_text("Syncing")
    page.get_by_label("More actions for Harbour bucket").click()
    listed = page.locator(".figures div", has_text="Listed").locator("dd")
    expect(listed).not_to_have_text("0")
    first = listed.inner_text()
    expect(listed).not_to_have_text(first)
    expect(page.get_by_role("progressbar")).to_have_attribute("max", str(PICTURES))
    expect(page.get_by_role("link", name="Plan")).to_be_visible()
    page.keyboard.press("Escape")
    visitor.look("storage-syncing")
    page.get_by_role("button", name="Cancel").focus()
    page.keyboard.press("Enter")
    bucket.heal()
    expect(page.locator(".badge")).to_have_text("Cancelled")
    expect(page.get_by_role("button", name="Sync Storage")).to_be_focused()
    assert page.evaluate("window.same"), "the page was not loaded again"
    visitor.look("storage-cancelled")


def test_an_open_explanation_a_focus_and_the_pace_survive_the_news(
    visitor: Visitor, bucket: S3Fake, project: int, connect: Any
) -> None:
    source = connect("s3")
    page = cards(visitor, project)
    page.locator("#poll[hx-trigger*='15s']").wait_for(state="attached")
    bucket.delay(0.6, match="^/data/?$")
    page.get_by_role("button", name="Sync Storage").press("Enter")
    page.locator("#poll[hx-trigger*='2s']").wait_for(state="attached")
    why = page.locator(f"#state-source-{source['id']}")
    why.press("Enter")
    expect(page.get_by_text("A worker is at it")).to_be_visible()
    before = page.locator("[name=seen][value^=source]").get_attribute("value")
    expect(page.locator("[name=seen][value^=source]")).not_to_have_attribute("value", str(before))
    expect(page.get_by_text("A worker is at it")).to_be_visible()
    expect(why).to_be_focused()
    bucket.heal()
    expect(page.locator(".badge")).to_have_text("Completed", timeout=20_000)
    page.locator("#poll[hx-trigger*='15s']").wait_for(state="attached")


def test_cards_of_both_sides_with_trouble_and_hostile_text(visitor: Visitor, bucket: S3Fake, project: int, connect: Any) -> None:
    good, bad = connect("s3"), connect("s3", title=HOSTILE)
    connect("export/s3", title="Annotations out")
    synced(visitor, "s3", good["id"])
    bucket.put("data", "broken.json", b"{")
    rows = connect("s3", title="Task files", regex_filter=r".*\.json", use_blob_urls=False)
    synced(visitor, "s3", rows["id"])
    page = cards(visitor, project)
    bucket.refuse_all()
    card = page.locator(f"#card-source-{bad['id']}")
    card.get_by_role("button", name="Sync Storage").click()
    expect(card.get_by_text("No sync was started")).to_be_visible()
    expect(card.locator(".badge")).to_have_text("Failed")
    card.get_by_text("Full log of run").click()
    visitor.look("storage-cards")
    page.get_by_label("More actions for Annotations out").press("Enter")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("button", name="Sync only what changed")).to_be_focused()
    visitor.look("storage-menu")


def test_a_server_that_is_away_is_told_and_the_page_goes_on_when_it_is_back(visitor: Visitor, project: int, connect: Any) -> None:
    visitor.may_fail = True
    source = connect("s3")
    visitor.page.clock.install()
    page = cards(visitor, project)
    page.route("**/settings/storage/news*", lambda route: route.abort())
    page.clock.run_for(16_000)
    expect(page.get_by_text("The server cannot be reached")).to_be_visible()
    visitor.look("storage-offline")
    synced(visitor, "s3", source["id"])
    page.unroute("**/settings/storage/news*")
    page.clock.run_for(16_000)
    expect(page.locator(".badge")).to_have_text("Completed")
    expect(page.get_by_text("The server cannot be reached")).to_be_hidden()


def test_the_plan_is_drawn_up_while_the_page_is_open(visitor: Visitor, bucket: S3Fake, project: int, connect: Any) -> None:
    connect("s3")
    page = cards(visitor, project)
    bucket.delay(0.4, match="^/data/?$", n=3)
    page.get_by_label("More actions for Harbour bucket").press("Enter")
    page.get_by_role("link", name="Plan").click()
    expect(page.get_by_text("Listing the storage")).to_be_visible()
    expect(page.get_by_text(f"{PICTURES} objects would become a task each.")).to_be_visible()
    expect(page.get_by_text("notes.txt")).to_be_visible()
    visitor.look("storage-plan")
    bucket.refuse_all()
    page.get_by_role("button", name="Look again").press("Enter")
    expect(page.get_by_role("alert").filter(has_text="cannot be listed")).to_be_visible()
    visitor.look("storage-plan-failed")


def test_a_snapshot_is_asked_for_by_keyboard(visitor: Visitor, project: int, connect: Any) -> None:
    target = connect("export/s3", title="Annotations out")
    page = cards(visitor, project)
    page.get_by_label("More actions for Annotations out").press("Enter")
    page.get_by_role("link", name="Write a snapshot").press("Enter")
    page.get_by_label("Name (optional)").fill("../up")
    page.get_by_label("Name (optional)").press("Enter")
    expect(page.locator("#name-error")).to_be_visible()
    expect(page.get_by_label("Name (optional)")).to_be_focused()
    visitor.look("storage-snapshot")
    page.get_by_label("Name (optional)").fill("first")
    page.get_by_label("Name (optional)").press("Enter")
    expect(page.get_by_text("The snapshot is queued.")).to_be_visible()
    expect(page.locator(f"#live-target-{target['id']}")).to_contain_text("Last snapshot", timeout=20_000)


def test_a_deletion_asks_for_the_title(visitor: Visitor, bucket: S3Fake, project: int, connect: Any) -> None:
    source = connect("s3", title="Old  bucket")
    synced(visitor, "s3", source["id"])
    page = cards(visitor, project)
    page.get_by_label("More actions for Old").press("Enter")
    page.get_by_role("link", name="Delete").click()
    field = page.get_by_label("Enter the title of the storage to delete it")
    field.fill("Old bukket")
    expect(page.get_by_role("button", name="Delete this storage")).to_be_disabled()
    visitor.look("storage-delete")
    field.fill("Old bucket")
    field.press("Enter")
    expect(page.get_by_text("was deleted")).to_be_visible()
    expect(page.get_by_role("heading", name="Add your first cloud storage")).to_be_visible()
    assert visitor.api("GET", f"/api/tasks/?project={project}&page_size=1")["total"] == PICTURES
