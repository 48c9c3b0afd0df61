"""The cards of a project's storages: what they say, who may see them, and what a look at them costs."""

from datetime import timedelta

import pytest
from cachetools import TTLCache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from storages.backends import BACKENDS
from storages.base import ExportStorage, ImportStorage
from storages.fields import secret_names
from storages.pages import cards
from storages.runs import ExportRun, ImportIssue, ImportRun, State
from tests.storages.pages.cards import HTMX, begin, browser, home, signed_in, source, target, text, tokens  # noqa: F401 - fixtures
from users.models import OrganizationMember

# ruff: noqa: F811 - fixtures as arguments
pytestmark = pytest.mark.django_db(transaction=True)
HOSTILE = "<img src=x onerror=alert(1)>\u202egnp"
MANY = 12_345
MODELS = [model for backend in BACKENDS.values() for model in (backend.import_model, backend.export_model)]


@pytest.fixture(autouse=True)
def always_fresh(monkeypatch):
    """Tests look more often than pages do."""
    monkeypatch.setattr(cards, "_recent", TTLCache(maxsize=9, ttl=0))


def test_without_a_storage_the_page_offers_to_add_one_of_each_side(browser, home):
    page = browser.get(home).content.decode()
    assert "Add your first cloud storage" in page
    assert f'href="{home}/source/new"' in page and f'href="{home}/target/new"' in page
    assert "Databricks" in page and "Redis" in page, "what can be connected comes from the registry"


def test_a_card_says_what_a_storage_is_and_what_its_last_sync_came_to(browser, home, s3, source, target, sync):
    for name in ("a.png", "b.png"):
        s3.put("data", name, b"1")
    sync("s3", source["id"])
    s3.put("data", "c.png", b"1")
    sync("s3", source["id"])
    page = text(browser.get(home))
    assert "Source Cloud Storage" in page and "Target Cloud Storage" in page
    for told in (
        "Harbour bucket",
        BACKENDS["s3"].title,
        "Bucket Name data",
        "Completed",
        "Tasks 3 (1 new)",
        "Only by hand",
        "just now",
    ):
        assert told in page
    assert "Not synced yet" in page, "of the target"


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_stranger_a_revoked_member_and_an_anonymous_visitor_are_turned_away(charlie, alice, bob, home, source, target, side):
    pk = (source if side == "source" else target)["id"]
    paths = [home, f"{home}/news"] + [
        f"{home}/{side}/s3/{pk}/{action}" for action in ("sync", "cancel", "delete", "plan", "snapshot")
    ]
    asks = [(path, "post" if path.endswith(("sync", "cancel")) else "get") for path in paths]
    OrganizationMember.objects.filter(user=bob).update(deleted_at=timezone.now())
    for path, method in asks:
        assert getattr(Client(), method)(path).status_code == 302, path
        assert getattr(signed_in(bob), method)(path).status_code == 403, path
        assert getattr(signed_in(charlie), method)(path).status_code == 404, path
    assert not ImportRun.objects.exists() and not ExportRun.objects.exists()


def test_hostile_titles_and_keys_are_shown_as_text(browser, home, create, s3_settings, s3):
    source = create("s3", s3_settings, title=HOSTILE, use_blob_urls=True)
    s3.put("data", "<img src=x onerror=alert(2)>\u202e.png", b"1")
    begin(source, state=State.FAILED, error=f"could not read {HOSTILE}", error_code="malformed", finished_at=timezone.now())
    place = f"{home}/source/s3/{source['id']}"
    seen = [f"source-{source['id']}:x:y", "list:x", "pace:x"]
    pages = [browser.get(home), browser.get(f"{home}/news", {"seen": seen}), browser.get(f"{place}/delete")]
    pages.append(browser.post(f"{place}/plan", **HTMX))
    for page in pages:
        assert page.status_code == 200
        assert "<img" not in page.content.decode() and "&lt;img" in page.content.decode()


def test_no_secret_is_read_or_shown(browser, home, source, target, s3):
    models = (*MODELS, ImportStorage, ExportStorage)
    encrypted = {f'"{model._meta.db_table}"."{name}"' for model in models for name in secret_names(model)}
    with CaptureQueriesContext(connection) as asked:
        page = browser.get(home)
        browser.get(f"{home}/news", {"seen": tokens(page)})
        browser.get(f"{home}/source/s3/{source['id']}/delete")
    read = [query["sql"] for query in asked.captured_queries if 'FROM "storages_' in query["sql"]]
    assert len(read) > 5
    for statement in read:
        assert not [name for name in encrypted if name in statement], statement
    assert s3.secret_key not in page.content.decode() and s3.access_key not in page.content.decode()


def test_queries_do_not_grow_with_the_storages(browser, home, create, s3_settings, django_assert_num_queries):
    for number in range(3):
        begin(create("s3", s3_settings, title=str(number)), state=State.IN_PROGRESS, started_at=timezone.now())
        create("export/s3", s3_settings, title=str(number), prefix=f"out{number}")
    with django_assert_num_queries(8):  # session, user, membership, project; of each side settings and runs
        page = browser.get(home)
    with django_assert_num_queries(6):  # without the settings
        assert browser.get(f"{home}/news", {"seen": tokens(page)}).status_code == 204


def test_a_look_without_news_has_no_body_and_a_look_with_news_only_the_parts_that_changed(browser, home, source, target):
    page = browser.get(home)
    seen = tokens(page)
    assert len(seen) == 4 and "every 15s" in page.content.decode()
    quiet = browser.get(f"{home}/news", {"seen": seen})
    assert (quiet.status_code, quiet.content) == (204, b"")
    run = begin(source, state=State.IN_PROGRESS, started_at=timezone.now() - timedelta(seconds=10), listed=1)
    news = browser.get(f"{home}/news", {"seen": seen})
    body = news.content.decode()
    assert f'id="live-source-{source["id"]}"' in body and f"live-target-{target['id']}" not in body
    assert "every 2s" in body and "Harbour bucket: Syncing." in text(news) and "menu" not in body
    assert "Storages were added" not in body
    known = [token for token in seen if token.startswith("target")] + tokens(news)
    assert browser.get(f"{home}/news", {"seen": known}).status_code == 204
    ImportRun.objects.filter(pk=run.pk).update(listed=MANY)
    more = browser.get(f"{home}/news", {"seen": known})
    assert f"{MANY:,}" in text(more) and 'id="told"' not in more.content.decode(), "counts are not read aloud"


@pytest.mark.parametrize("seen", [[], ["", ":", "source-1", "x" * 5000, "source-999999:completed:0", "\x00:\x00"]])
def test_whatever_a_page_claims_to_have_seen_is_taken_as_out_of_date(browser, home, source, seen):
    answer = browser.get(f"{home}/news", {"seen": seen})
    assert answer.status_code == 200 and 'id="poll"' in answer.content.decode()
    assert "live-source-" not in answer.content.decode(), "a page gets only the cards that it has" or seen


@pytest.mark.parametrize(
    ("columns", "before", "told"),
    [
        ({"listed": 50, "created": 40, "existed": 7, "failed": 3}, None, ["Listed", "50", "40", "7", "3", "5 objects/s"]),
        ({"listed": 50}, 100, ["about 10 s left", "about 100 at the last sync", 'max="100" value="50"']),
        ({"listed": 50, "total": 250}, 100, ["40 s left", "250 in all", 'max="250" value="50"']),
        ({"listed": 150}, 100, ["150"]),
    ],
    ids=["nothing to compare with", "as many as before", "the total is known", "more than before"],
)
def test_progress_has_an_end_only_where_one_is_known_or_can_be_guessed(browser, home, source, columns, before, told):
    now = timezone.now()
    if before:
        begin(source, state=State.COMPLETED, listed=before, finished_at=now)
    begin(source, state=State.IN_PROGRESS, started_at=now - timedelta(seconds=10), heartbeat=now, **columns)
    page = browser.get(home)
    for words in told:
        assert words in (page.content.decode() if "=" in words else text(page)), words
    assert ("max=" in page.content.decode()) == any("max=" in words for words in told)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"state": State.FAILED, "error_code": "bad_credentials", "error": "the key is unknown\nand more"},
         ["Failed", "the key is unknown", "enter the credentials again", "Full log", "Edit the storage"]),
        ({"state": State.COMPLETED_WITH_ERRORS, "failed": 2, "error": "a.json: malformed\nb.json: malformed"},
         ["Completed with errors", "2 objects could not be dealt with", "See the issues", "a.json: malformed"]),
        ({"state": State.CANCELLED, "error_code": "cancelled", "error": "cancelled by bob; what had been committed is kept"},
         ["Cancelled", "cancelled by bob", "goes on from where it stopped"]),
        ({"state": State.QUEUED, "queued_at": timezone.now() - timedelta(minutes=5)}, ["Queued", "Check that a worker runs"]),
    ],
    ids=["failed", "with errors", "cancelled", "waits for long"],
)  # fmt: skip
def test_an_error_is_told_in_words_with_the_next_step(browser, home, source, columns, told):
    begin(source, finished_at=timezone.now(), **columns)
    page = text(browser.get(home))
    for words in told:
        assert words in page, words


def test_a_schedule_and_a_problem_with_signed_links_are_on_the_card(browser, home, source):
    later = timezone.now() + timedelta(hours=3, minutes=1)
    ImportStorage.objects.update(next_sync=later, sync_schedule="every 6 hours", presign_problem="no key may sign here")
    page = text(browser.get(home))
    assert "in 3 hours" in page and "no key may sign here" in page and "Signed links do not work" in page


def test_storages_that_others_add_change_or_remove_are_told_once(browser, home, source, create, s3_settings):
    seen = tokens(browser.get(home))
    create("s3", s3_settings, title="Another")
    news = browser.get(f"{home}/news", {"seen": seen})
    assert "Storages were added, changed or removed elsewhere" in text(news)
    known = [token for token in seen if token.startswith("source")] + tokens(news)
    assert browser.get(f"{home}/news", {"seen": known}).status_code == 204


def test_a_list_that_cannot_be_read_is_an_error_and_not_an_empty_list(browser, home, source):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE storages_exportrun RENAME TO away")
        try:
            page, news = browser.get(home), browser.get(f"{home}/news")
        finally:
            cursor.execute("ALTER TABLE away RENAME TO storages_exportrun")
    assert page.status_code == 503 and "cannot be loaded" in text(page) and "Try again" in text(page)
    assert "Add your first" not in text(page) and news.status_code == 503


def test_many_issues_and_a_running_sync_cost_a_look_no_more_queries(project, source, django_assert_num_queries):
    run = begin(source, state=State.IN_PROGRESS, started_at=timezone.now())
    ImportIssue.objects.bulk_create([ImportIssue(run=run, key=str(n), code="malformed", message="m") for n in range(50)])
    with django_assert_num_queries(2):
        assert cards.load(project)[0].active


def test_pages_that_are_open_at_the_same_time_share_one_look(browser, home, source, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(cards, "_recent", TTLCache(maxsize=9, ttl=30))
    seen = tokens(browser.get(home))
    assert browser.get(f"{home}/news", {"seen": seen}).status_code == 204
    with django_assert_num_queries(4):  # who asks, and for which project, is checked each time
        assert browser.get(f"{home}/news", {"seen": seen}).status_code == 204
