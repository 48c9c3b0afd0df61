"""History, runs with live issues, and the schedule of a storage, in a browser on the real service."""

import csv
import io
import re

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.pages.looking import Visitor
from tests.e2e.server import until
from tests.fakes.s3 import S3Fake
from tests.fakes.s3 import s3 as s3  # noqa: F401 - the fixture

HOSTILE = "<img src=x onerror=alert(1)>\u202egnp." + "k" * 200 + ".json"


@pytest.fixture
def bucket(s3: S3Fake) -> S3Fake:
    """Bucket "data": four good task files, and some that cannot be read."""
    s3.create_bucket("data")
    for number in range(4):
        s3.put("data", f"good-{number}.json", b'{"image": "x"}')
    for name in ("broken-a.json", "broken-b.json", HOSTILE):
        s3.put("data", name, b"{")
    return s3


@pytest.fixture
def source(visitor: Visitor, bucket: S3Fake) -> tuple[str, str]:
    """Paths of a new source of the bucket: of its pages, and in the API."""
    config = '<View><Image name="image" value="$image"/></View>'
    project = visitor.api("POST", "/api/projects/", {"title": "Harbour", "label_config": config})["id"]
    settings = {
        "project": project, "title": "Harbour bucket", "bucket": "data", "s3_endpoint": bucket.url,
        "aws_access_key_id": bucket.access_key, "aws_secret_access_key": bucket.secret_key, "sync_workers": 1, "sync_reads": 1,
    }  # fmt: skip
    pk = visitor.api("POST", "/api/storages/s3", settings)["id"]
    return f"/projects/{project}/settings/storage/source/s3/{pk}", f"/api/storages/s3/{pk}"


def sync(visitor: Visitor, api: str) -> int:
    """A sync and its end; the run's id."""
    run = visitor.api("POST", f"{api}/sync")["last_run"]
    until(lambda: visitor.api("GET", f"{api}/runs/{run}")["finished_at"], 20, "the sync has ended")
    return run


def drawn(canvas: Locator) -> bool:
    """Whether anything is painted on the canvas."""
    return canvas.evaluate("c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(value => value)")


def test_the_history_is_empty_at_first_and_then_a_table_with_a_chart(visitor: Visitor, source: tuple[str, str]) -> None:
    page = visitor.open(f"{source[0]}/runs")
    expect(page.get_by_role("heading", name="Nothing was synced yet")).to_be_visible()
    visitor.look("runs-empty")
    for _ in range(3):
        sync(visitor, source[1])
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(3)
    until(lambda: drawn(page.locator("#history-chart")), 5, "the chart is drawn")
    visitor.look("runs")
    page.get_by_role("link", name="Run ").last.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Run ")


def test_a_run_is_followed_live_and_what_failed_is_tried_again(visitor: Visitor, source: tuple[str, str], bucket: S3Fake) -> None:
    bucket.delay(2.0)
    run = visitor.api("POST", f"{source[1]}/sync")["last_run"]
    page = visitor.open(f"{source[0]}/runs/{run}")
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    visitor.look("run-live")
    bucket.heal()
    page.evaluate("window.stayed = true")
    expect(page.get_by_text("Completed with errors").first).to_be_visible(timeout=20_000)
    expect(page.locator("#run-said")).to_contain_text("The run has ended: Completed with errors. 4 new, 3 failed.")
    expect(page.locator("#issues tbody tr")).to_have_count(3)
    expect(page.get_by_role("option", name=re.compile(r"All issues \(3\)"))).to_be_attached()
    assert page.locator("#issue-code").input_value() == ""
    assert page.evaluate("window.stayed"), "the page was loaded anew"
    visitor.look("run-ended")
    polls: list[str] = []
    page.on("request", lambda request: polls.append(request.url))
    page.get_by_text("The first failures as text").click()
    page.wait_for_timeout(2500)
    assert polls == [], "the run has ended and is polled all the same"

    bucket.put("data", "broken-b.json", b'{"image": "y"}')
    page.get_by_label("Try broken-b.json again").focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Retry selected").press("Enter")
    expect(page.get_by_text("The retry is queued.")).to_be_visible()
    expect(page.get_by_text("Retry of Harbour bucket")).to_be_visible()
    expect(page.locator("#run-state")).to_contain_text("Completed", timeout=15_000)
    expect(page.get_by_text("No issues: this run dealt with every object")).to_be_visible()
    expect(page.get_by_role("button", name="Retry all that failed (2)")).to_be_visible()


def test_issues_are_filtered_without_a_reload_and_downloaded(visitor: Visitor, source: tuple[str, str]) -> None:
    page = visitor.open(f"{source[0]}/runs/{sync(visitor, source[1])}")
    code = page.locator("#issue-code option").nth(1).get_attribute("value")
    page.evaluate("window.stayed = true")
    page.select_option("#issue-code", code)
    expect(page).to_have_url(re.compile(rf"\?code={code}&page=1$"))
    expect(page.locator("#issues tbody tr")).to_have_count(3)
    assert page.evaluate("window.stayed") and page.locator("#issue-code").input_value() == code
    page.reload()
    assert page.locator("#issue-code").input_value() == code
    with page.expect_download() as begun:
        page.get_by_role("link", name="Download CSV").click()
    rows = list(csv.DictReader(io.StringIO(begun.value.path().read_text("utf-8-sig"))))
    assert {row["key"] for row in rows} == {"broken-a.json", "broken-b.json", HOSTILE}
    assert begun.value.suggested_filename.startswith("issues-of-run-")


def test_a_running_sync_is_cancelled_by_keyboard(visitor: Visitor, source: tuple[str, str], bucket: S3Fake) -> None:
    bucket.delay(1.0)
    run = visitor.api("POST", f"{source[1]}/sync")["last_run"]
    page = visitor.open(f"{source[0]}/runs/{run}")
    page.get_by_role("button", name="Cancel").press("Enter")
    bucket.heal()
    expect(page.get_by_text("Cancelled. What had been saved is kept")).to_be_visible()
    expect(page.locator("#run-state")).to_have_text("Cancelled")
    visitor.look("run-cancelled")


def test_the_schedule_is_chosen_seen_in_words_refused_and_saved(visitor: Visitor, source: tuple[str, str]) -> None:
    page = visitor.open(f"{source[0]}/schedule")
    words = page.locator("#schedule-words")
    expect(words).to_contain_text("No schedule")
    visitor.look("schedule")
    page.get_by_label("Sync schedule").press_sequentially("every 6 h")
    expect(words).to_contain_text("an interval counts minutes, hours or days")
    page.get_by_label("Sync schedule").press_sequentially("ours")
    expect(words.locator("li")).to_have_count(3)
    page.get_by_role("button", name="Every night at 3:00").press("Enter")
    expect(words.locator("li").first).to_contain_text("03:00 UTC")
    page.get_by_label("Webhook secret").fill("knock-knock")
    page.get_by_label("Webhook URL").fill("ftp://hooks.example")
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_label("Webhook URL")).to_be_focused()
    expect(page.locator("#error-webhook_url")).to_contain_text("must be an http", ignore_case=True)
    expect(page.get_by_label("Sync schedule")).to_have_value("0 3 * * *")
    assert "knock-knock" not in page.content()
    visitor.look("schedule-refused")
    page.get_by_label("Webhook URL").fill("")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Schedule and policies are saved.")).to_be_visible()
    expect(words.locator("li")).to_have_count(3)
    assert visitor.api("GET", source[1])["sync_schedule"] == "0 3 * * *"
