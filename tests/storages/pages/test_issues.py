"""The issues of a run: read, filtered, as CSV, and tried again."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from storages import status
from storages.base import ExportStorage, ImportStorage
from storages.runs import ExportRun, ImportIssue, ImportRun, State
from tasks.models import Task
from tests.storages.pages.test_runs import HOSTILE, ended, text
from tests.storages.pages.test_runs import browser as browser  # noqa: F401 - the fixture
from tests.storages.pages.test_runs import source as source  # noqa: F401 - the fixture

pytestmark = pytest.mark.django_db(transaction=True)


def test_issues_are_filtered_by_code_and_hostile_keys_are_only_text(browser, source):
    run = ended(source[0], [("a", "malformed"), (HOSTILE, "malformed"), ("b", "not_found")], failed=3)
    page = text(browser.get(f"{source[1]}/runs/{run.pk}"))
    assert "<img" not in page and "&lt;img" in page
    assert "malformed (2)" in page and "not_found (1)" in page and "All issues (3)" in page
    one = text(browser.get(f"{source[1]}/runs/{run.pk}", {"code": "not_found"}))
    assert "b is bad" in one and "a is bad" not in one
    for odd in ("nothing", "\0", "'; DROP TABLE"):
        assert "a is bad" in text(browser.get(f"{source[1]}/runs/{run.pk}", {"code": odd}))
    part = f"{source[1]}/runs/{run.pk}/issues"
    assert browser.get(part, {"code": "not_found"})["Location"].endswith(f"/runs/{run.pk}?code=not_found&page=1#issues")
    filtered = {"HX-Request": "true", "HX-Trigger": "issue-filter"}
    answer = browser.get(part, {"code": "not_found"}, headers=filtered)
    assert "a is bad" not in text(answer) and answer["HX-Push-Url"].endswith("?code=not_found&page=1")
    assert "HX-Push-Url" not in browser.get(part, headers={"HX-Request": "true"})


def test_issues_are_paged_newest_first(browser, source):
    run = ended(source[0], [(f"key-{n:03}", "malformed") for n in range(60)], failed=60)
    first = text(browser.get(f"{source[1]}/runs/{run.pk}", {"code": "malformed"}))
    assert "key-059" in first and "key-009" not in first and 'href="?code=malformed&amp;page=2#issues"' in first
    assert "key-009" in text(browser.get(f"{source[1]}/runs/{run.pk}", {"page": 2}))


def test_all_issues_are_downloaded_as_csv_that_no_spreadsheet_executes(browser, source):
    keys = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "plain", 'a "quoted",\nkey', "größe", *(f"more-{n}" for n in range(60))]
    run = ended(source[0], [(key, "malformed") for key in keys], failed=len(keys))
    ImportIssue.objects.filter(key="plain").update(row=7)
    answer = browser.get(f"{source[1]}/runs/{run.pk}/issues.csv")
    body = b"".join(answer.streaming_content)
    assert answer["Content-Disposition"] == f'attachment; filename="issues-of-run-{run.pk}.csv"'
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert body.startswith(b"\xef\xbb\xbfkey,row,code,message,created_at\r\n")
    lines = body.decode("utf-8-sig")
    assert all(f"'{key}," in lines for key in keys[:5]) and "plain,7,malformed" in lines.replace("\r\n", "\n")
    assert '"a ""quoted"",\nkey"' in lines and "größe" in lines and "more-59" in lines
    assert not re.search(r'(^|[,"])[=+\-@\t]', lines, re.MULTILINE)


@pytest.fixture
def broken(s3, source, sync):
    """The source after a sync in which two of three files could not be read."""
    for name, body in (("good", b'{"image": "good"}'), ("bad", b"{"), ("worse", b"}")):
        s3.put("data", f"{name}.json", body)
    sync("s3", source[0].pk)
    for name in ("bad", "worse"):
        s3.put("data", f"{name}.json", b'{"image": "repaired %s"}' % name.encode())
    return source


@pytest.mark.parametrize(
    ("sent", "repaired"),
    [
        ({"which": "all"}, {"repaired bad", "repaired worse"}),
        ({"which": "selected", "key": ["worse.json", "good.json", "\0"]}, {"repaired worse"}),
    ],
)
def test_what_failed_is_tried_again_all_of_it_or_the_selected(browser, alice, broken, work, sent, repaired):
    page = text(browser.get(f"{broken[1]}/runs/{ImportRun.objects.get().pk}"))
    assert "Retry all that failed (2)" in page and page.count('type="checkbox"') == 2
    answer = browser.post(f"{broken[1]}/retry", sent)
    run = ImportRun.objects.first()
    assert answer["Location"] == f"{broken[1]}/runs/{run.pk}"
    assert (run.kind, run.total, run.trigger, run.started_by) == ("retry", len(repaired), "page", alice)
    work()
    run.refresh_from_db()
    assert (run.state, run.listed) == (State.COMPLETED, len(repaired))
    assert {task.data["image"] for task in Task.objects.all()} == {"good"} | repaired


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("none selected", "Nothing was selected"),
        ("not failed", "Nothing is left to try again"),
        ("running", "A sync is queued or running"),
        ("unreachable", "The storage cannot be reached"),
        ("resting", "set not to be synced"),
    ],
)
def test_a_retry_that_cannot_be_says_why_and_starts_nothing(browser, s3, broken, case, said):
    sent = {"none selected": {"which": "selected"}, "not failed": {"which": "selected", "key": ["good.json"]}}.get(case, {})
    if case == "running":
        status.begin(ImportStorage.objects.get(pk=broken[0].pk), user=None, trigger="api")
    if case == "unreachable":
        s3.refuse_all()
    if case == "resting":
        ImportStorage.objects.update(synchronizable=False)
    runs = ImportRun.objects.count()
    assert said in text(browser.post(f"{broken[1]}/retry", sent, follow=True))
    assert ImportRun.objects.count() == runs


@pytest.mark.parametrize(("sent", "written"), [({"which": "all"}, 2), ({"which": "selected"}, 1)], ids=["all", "selected"])
def test_a_target_writes_again_what_failed(browser, api, s3, s3_settings, create, work, project, sent, written):
    s3.create_bucket("data")
    pk = create("export/s3", s3_settings)["id"]
    work()
    task = api.post("/api/tasks/", {"project": project.pk, "data": {"image": "x"}}).json()["id"]
    first, second = (str(api.post(f"/api/tasks/{task}/annotations/", {"result": []}).json()["id"]) for _ in range(2))
    target = ExportStorage.objects.get(pk=pk)
    later = timezone.now() + timedelta(hours=1)  # only a retry brings them forward
    target.outbox.update(attempts=3, due=later)
    run = ended(target, [(first, "unavailable"), (second, "unavailable")], failed=2, state=State.COMPLETED_WITH_ERRORS)
    path = f"/projects/{project.pk}/settings/storage/target/s3/{pk}"
    page = text(browser.get(f"{path}/runs/{run.pk}"))
    assert "Objects written" in page and page.count('type="checkbox"') == 2 and "Retry all that failed (2)" in page
    browser.post(f"{path}/retry", sent | {"key": [second, "no number"]})
    work()
    retry = ExportRun.objects.get(kind="retry")
    assert (retry.state, retry.created, retry.total, retry.trigger) == (State.COMPLETED, written, written, "page")
    assert set(target.outbox.values_list("subject", flat=True)) == ({int(first)} if written == 1 else set())
