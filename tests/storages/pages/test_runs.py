"""The pages of a storage's runs: history, one run with its issues, CSV, retries and cancelling, and who may see them."""

import json
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from storages import jobs, status
from storages.base import ExportStorage, ImportStorage
from storages.runs import ImportRun, State
from users.models import OrganizationMember

pytestmark = pytest.mark.django_db(transaction=True)
HOSTILE = "<img src=x onerror=alert(1)>\u202e" + "k" * 1000


@pytest.fixture
def browser(alice) -> Client:
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def source(s3_settings, create, project):
    """(storage, path of its pages); it has no run."""
    pk = create("s3", s3_settings, title="Harbour <b>")["id"]
    return ImportStorage.objects.get(pk=pk), f"/projects/{project.pk}/settings/storage/source/s3/{pk}"


def ended(storage, issues=(), **columns):
    """A run that ended, with ``issues``: (key, code) each."""
    run = status.begin(storage, user=None, trigger="api")
    now = timezone.now()
    fixed = {"state": State.COMPLETED, "started_at": now - timedelta(seconds=10), "heartbeat": now, "finished_at": now}
    type(run).objects.filter(pk=run.pk).update(**fixed | columns)
    model = type(run)._meta.get_field("issues").related_model
    model.objects.bulk_create(model(run=run, key=key, code=code, message=f"{key} is bad") for key, code in issues)
    return run


def text(answer):
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def test_a_storage_without_runs_says_so_and_what_to_do(browser, source):
    shown = text(browser.get(f"{source[1]}/runs"))
    assert "Nothing was synced yet" in shown and "Set a schedule" in shown and "<canvas" not in shown


def test_the_history_tells_each_run_and_gives_the_chart_the_same_numbers(browser, alice, source):
    ended(source[0], listed=20, created=15, failed=5, state=State.COMPLETED_WITH_ERRORS)
    status.begin(source[0], user=alice, trigger="schedule")
    shown = text(browser.get(f"{source[1]}/runs"))
    rows = re.findall(r"<tr>.*?</tr>", shown.partition("<tbody>")[2], re.DOTALL)
    assert "Queued" in rows[0] and "Schedule" in rows[0] and alice.email in rows[0]
    assert all(f'">{n}</td>' in rows[1] for n in ("20", "15", "5", "2.0", "10 s")) and "Completed with errors" in rows[1]
    chart = json.loads(re.search(r'<script id="history-data" type="application/json">(.*?)</script>', shown)[1])
    assert (chart["listed"], chart["new"], chart["failed"], chart["rate"]) == ([20, 0], [15, 0], [5, 0], [2.0, None])
    assert "Harbour <b>" not in shown and "Harbour &lt;b&gt;" in shown


def test_the_history_is_paged_with_the_same_few_queries_however_many_runs_there_are(browser, source, django_assert_num_queries):
    for _ in range(32):
        ended(source[0])
    with django_assert_num_queries(7):  # session, user, membership, project, storage, number of runs, runs
        first = text(browser.get(f"{source[1]}/runs"))
    assert first.count('<th scope="row">') == 30 and "Page 1 of 2" in first
    for odd in ("2", "99", "9" * 5000):
        assert "page" in (last := text(browser.get(f"{source[1]}/runs", {"page": odd})).lower())
    assert 'href="?page=1"' in text(browser.get(f"{source[1]}/runs", {"page": "2"})) and last


@pytest.mark.parametrize(
    "tail", ["runs", "runs/{run}", "runs/{run}/live", "runs/{run}/issues", "runs/{run}/issues.csv", "schedule"]
)
def test_pages_are_for_members_only(alice, charlie, source, tail):
    path = f"{source[1]}/{tail.format(run=ended(source[0]).pk)}"
    assert Client().get(path)["Location"].startswith("/user/login/?next=")
    stranger = Client()
    stranger.force_login(charlie)
    assert stranger.get(path).status_code == 404
    browser = Client()
    browser.force_login(alice)
    assert browser.get(path, headers={"HX-Request": "true"}).status_code == 200
    OrganizationMember.objects.filter(user=alice).update(deleted_at=timezone.now())
    assert browser.get(path).status_code == 403


@pytest.mark.parametrize("verb", ["runs/{run}/cancel", "retry", "schedule"])
def test_what_changes_something_needs_a_member_a_post_and_a_token(alice, charlie, source, verb):
    path = f"{source[1]}/{verb.format(run=status.begin(source[0], user=None, trigger='api').pk)}"
    stranger, careless = Client(), Client(enforce_csrf_checks=True)
    stranger.force_login(charlie)
    careless.force_login(alice)
    assert stranger.post(path).status_code == 404 and careless.post(path).status_code == 403
    assert stranger.delete(path).status_code == 405 and Client().post(path).status_code == 302
    assert ImportRun.objects.get().state == State.QUEUED


def test_a_run_of_another_storage_or_side_is_not_found(browser, source, s3_settings, create):
    other = ImportStorage.objects.get(pk=create("s3", s3_settings)["id"])
    run = ended(other)
    for path in (f"{source[1]}/runs/{run.pk}", f"{source[1].replace('/source/', '/target/')}/runs", f"{source[1]}/runs/{10**30}"):
        assert browser.get(path).status_code == 404
    assert browser.get(f"{source[1].replace('/s3/', '/gcs/')}/runs").status_code == 404


def test_a_run_is_read_without_its_storages_secrets_and_without_a_query_per_issue(browser, source, project):
    sources = []
    for number in (1, 40):
        issues = [(f"{n}", "malformed") for n in range(number)]
        path = f"{source[1]}/runs/{ended(source[0], issues, failed=number).pk}"
        with CaptureQueriesContext(connection) as queries:
            text(browser.get(path))
        sources.append(len(queries))
        assert not any("aws_secret_access_key" in query["sql"] or "webhook_secret" in query["sql"] for query in queries)
    assert sources == [11, 11]


def test_a_running_run_is_polled_and_answers_204_while_nothing_changes(browser, source, django_assert_num_queries):
    run = status.begin(source[0], user=None, trigger="api")
    ImportRun.objects.filter(pk=run.pk).update(state=State.IN_PROGRESS, listed=5, total=20)
    path = f"{source[1]}/runs/{run.pk}"
    page = text(browser.get(path))
    assert 'hx-trigger="every 2s"' in page and "data-poll" in page and 'max="20" value="5"' in page and "Cancel" in page
    poll = re.search(r'hx-get="([^"]+/live\?seen=[^"]+)"', page)[1]
    with django_assert_num_queries(6):  # session, user, membership, project, storage, run
        assert browser.get(poll).status_code == 204
    ImportRun.objects.filter(pk=run.pk).update(listed=6)
    answer = browser.get(poll)
    assert 'value="6"' in text(answer) and "run-moved" in answer["HX-Trigger"] and "hx-swap-oob" not in text(answer)
    status.cancel(run, None)
    page = text(browser.get(poll))
    assert "every 2s" not in page and "The run has ended: Cancelled" in page and "<progress" not in page


def test_a_failure_is_told_in_words_with_its_full_text_to_copy(browser, source):
    run = ended(source[0], state=State.FAILED, error_code="bad_credentials", error="The key was refused.\nSecond <line>")
    page = text(browser.get(f"{source[1]}/runs/{run.pk}"))
    assert "The key was refused.</span>" in page and "Second &lt;line&gt;" in page and 'data-copy="#run-text"' in page


def test_a_snapshot_shows_its_format_place_and_manifest(browser, create, s3, s3_settings, work, project):
    s3.create_bucket("data")
    pk = create("export/s3", s3_settings)["id"]
    work()
    run = jobs.start_snapshot(ExportStorage.objects.get(pk=pk), trigger="api")
    work()
    page = text(browser.get(f"/projects/{project.pk}/settings/storage/target/s3/{pk}/runs/{run.pk}"))
    assert "jsonl" in page and re.search(r"snapshots/\d+/[\dTZ]+-\d+/manifest\.json", page) and "Tasks written" in page


def test_cancelling_ends_a_run_once(browser, alice, source):
    run = status.begin(source[0], user=None, trigger="api")
    path = f"{source[1]}/runs/{run.pk}/cancel"
    assert "Cancelled. What had been saved is kept" in text(browser.post(path, follow=True))
    assert ImportRun.objects.get().state == State.CANCELLED
    assert "this run had ended before" in text(browser.post(path, follow=True))
