"""Pages about one storage: deletion, snapshot, plan; what they say, and that nothing happens before it is asked for."""

import pytest

from storages.backends import BACKENDS
from storages.base import ImportStorage
from storages.runs import ExportRun, ImportRun
from tasks.models import Task
from tests.storages.pages.cards import HTMX, browser, home, source, target, text  # noqa: F401 - fixtures
from tests.storages.targets import annotate, task  # noqa: F401 - fixtures

# ruff: noqa: F811 - fixtures as arguments
pytestmark = pytest.mark.django_db(transaction=True)


def test_deleting_takes_the_storage_and_keeps_tasks_and_objects(browser, home, s3, source, sync):
    s3.put("data", "a.png", b"1")
    sync("s3", source["id"])
    place = f"{home}/source/s3/{source['id']}/delete"
    asked = text(browser.get(place))
    assert "history of 1 run" in asked and "from which objects (1)" in asked and "Stay" in asked
    for wrong in ("", "harbour bucket", "Harbour"):
        refused = browser.post(place, {"title": wrong})
        assert refused.status_code == 200 and 'aria-invalid="true"' in refused.content.decode()
    assert ImportStorage.objects.count() == 1
    assert "was deleted" in text(browser.post(place, {"title": " Harbour  bucket "}, follow=True))
    assert not ImportStorage.objects.exists() and not ImportRun.objects.exists()
    assert Task.objects.count() == 1 and s3.keys("data") == ["a.png"]
    assert browser.get(place).status_code == 404 == browser.post(place, {"title": "Harbour bucket"}).status_code


def test_a_storage_without_a_title_can_be_deleted_by_what_its_card_says(browser, home, create, s3_settings):
    source = create("s3", s3_settings, title="")
    place = f"{home}/source/s3/{source['id']}/delete"
    assert browser.post(place, {"title": ""}).status_code == 200
    assert browser.post(place, {"title": f"Untitled {BACKENDS['s3'].title}"}).status_code == 302


def test_a_snapshot_is_queued_with_its_format_and_name(browser, home, target, alice, task, annotate, s3, work):
    annotate(task)
    place = f"{home}/target/s3/{target['id']}/snapshot"
    assert "Parquet" in text(browser.get(place))
    done = browser.post(place, {"format": "parquet", "name": "first"}, follow=True)
    assert "The snapshot is queued." in text(done)
    run = ExportRun.objects.get(kind="snapshot")
    assert (run.format, run.started_by, run.trigger) == ("parquet", alice, "page") and run.place.endswith("-first/")
    assert "under way already" in text(browser.post(place, {"format": "jsonl"}, follow=True))
    work()
    page = text(browser.get(home))
    assert "Snapshot 1 task" in page and "out/snapshots/" in page


@pytest.mark.parametrize(("field", "value"), [("format", "csv"), ("name", "../up"), ("name", "x" * 65)])
def test_a_wrong_format_or_name_is_told_beside_its_field(browser, home, target, field, value):
    page = browser.post(f"{home}/target/s3/{target['id']}/snapshot", {"format": "jsonl", field: value})
    assert page.status_code == 200 and f'id="{field}-error"' in page.content.decode()
    assert not ExportRun.objects.exists()


def test_the_plan_says_in_words_what_a_sync_would_do_and_writes_nothing(browser, home, s3, create, s3_settings):
    source = create("s3", s3_settings, use_blob_urls=True, regex_filter=r".*\.png")
    for key in ("a.png", "b.png", "notes.txt", "sub/c.png"):
        s3.put("data", key, b"1")
    place = f"{home}/source/s3/{source['id']}/plan"
    assert "Listing the storage" in text(browser.get(place))
    page = text(browser.post(place, **HTMX))
    for told in (
        "2 objects would become a task each",
        "a.png",
        "By the file name filter : 1",
        "notes.txt",
        "In sub-folders",
        "sub/",
    ):
        assert told.replace(" :", ":") in page.replace(" :", ":"), told
    assert "<html" in browser.post(place).content.decode(), "also as a whole page"
    assert not Task.objects.exists() and not ImportRun.objects.exists()


def test_a_plan_of_a_storage_that_cannot_be_listed_says_why(browser, home, s3, source):
    s3.refuse_all()
    page = text(browser.post(f"{home}/source/s3/{source['id']}/plan", **HTMX))
    assert "cannot be listed" in page and "Could not reach" in page and "Check that the storage" in page


def test_targets_have_no_plan_and_sources_no_snapshot(browser, home, source, target):
    assert browser.get(f"{home}/target/s3/{target['id']}/plan").status_code == 404
    assert browser.get(f"{home}/source/s3/{source['id']}/snapshot").status_code == 404


@pytest.mark.parametrize("place", ["source/nothing/1", "aside/s3/1", f"source/s3/{2**80}"])
def test_a_path_that_names_no_storage_is_404(browser, home, place):
    assert browser.get(f"{home}/{place}/delete").status_code == 404
    assert browser.get(f"{home}/{place}/plan").status_code == 404
