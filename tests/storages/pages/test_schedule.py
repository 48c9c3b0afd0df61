"""The form of a storage's schedule, policies and webhook, and the next times while one types."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from storages import timetable
from storages.base import ExportStorage, ImportStorage
from storages.pages.schedule import QUICK, time_in_words

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 22, 20, 30, tzinfo=UTC)  # a Sunday


@pytest.fixture
def browser(alice) -> Client:
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def source(s3_settings, create, project) -> str:
    """The path of the form of a source whose webhook has a secret."""
    pk = create("s3", s3_settings, webhook_url="https://hooks.example/x", webhook_secret="knock-knock")["id"]
    return f"/projects/{project.pk}/settings/storage/source/s3/{pk}/schedule"


def sent(page: str) -> dict[str, str]:
    """What the form of ``page`` would send as it stands."""
    values = dict(re.findall(r'<input type="(?:text|number)"[^>]* name="(\w+)" value="([^"]*)"', page))
    for name, options in re.findall(r'<select id="[^"]*" name="(\w+)".*?>(.*?)</select>', page, re.DOTALL):
        values[name] = re.search(r'value="([^"]*)" selected', options)[1]
    return values


def test_it_shows_the_stored_settings_but_no_secret(browser, source):
    page = browser.get(source).content.decode()
    values = sent(page)
    assert values["webhook_url"] == "https://hooks.example/x" and values["changed_policy"] == "ignore"
    assert (values["vanished_cap"], values["sync_workers"], values["sync_reads"]) == ("20", "4", "32")
    assert "knock-knock" not in page and "empty to keep" in page.lower() and "Remove the stored secret" in page
    assert "bucket" not in values and "No schedule: the storage is synced only when somebody starts it." in page


def test_it_saves_what_was_sent_without_asking_the_storage_and_keeps_the_secret(browser, s3, source):
    values = sent(browser.get(source).content.decode())
    s3.refuse_all()
    asked = len(s3.requests)
    changes = {"sync_schedule": "0 3 * * *", "sync_timezone": "Europe/Berlin", "vanished_policy": "flag", "sync_workers": "7"}
    answer = browser.post(source, values | changes | {"webhook_secret": ""})
    assert answer.status_code == 302 and answer["Location"] == source and len(s3.requests) == asked
    stored = ImportStorage.objects.get()
    assert (stored.sync_schedule, stored.vanished_policy, stored.sync_workers) == ("0 3 * * *", "flag", 7)
    assert stored.next_sync is not None and stored.webhook_secret == "knock-knock"
    assert "Schedule and policies are saved." in browser.get(source).content.decode()


@pytest.mark.parametrize(("more", "kept"), [({"webhook_secret": "new"}, "new"), ({"forget_webhook_secret": "true"}, None)])
def test_the_secret_is_changed_or_removed_when_asked(browser, source, more, kept):
    browser.post(source, more)
    assert ImportStorage.objects.get().webhook_secret == kept


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("sync_schedule", "at <b>noon", "is no schedule"),
        ("sync_schedule", "x" * 129, "no more than 128 characters"),
        ("sync_schedule", "every\x00hour", "Null characters"),
        ("sync_timezone", "Berlin", "is no time zone"),
        ("sync_timezone", "", "may not be blank"),
        ("webhook_url", "ftp://x", "must be an http"),
        ("webhook_url", "http://169.254.169.254/", "169.254.169.254"),
        ("vanished_cap", "101", "less than or equal to 100"),
        ("sync_workers", "", "valid integer"),
        ("sync_reads", "0", "greater than or equal to 1"),
        ("changed_policy", "burn", "not a valid choice"),
    ],
)
def test_bad_input_is_told_beside_its_field_and_nothing_is_saved(browser, source, field, value, message):
    values = sent(browser.get(source).content.decode()) | {"renamed_policy": "follow"}
    answer = browser.post(source, values | {field: value, "webhook_secret": "typed-now"})
    page = answer.content.decode()
    told = re.search(rf'id="error-{field}".*?</p>', page, re.DOTALL)
    assert answer.status_code == 200 and told and message.lower() in told[0].lower()
    assert "<b>noon" not in page and "typed-now" not in page
    assert 'value="follow" selected' in page and ImportStorage.objects.get().renamed_policy == "new"


def test_only_fields_of_the_form_are_saved(browser, source, project):
    browser.post(source, {"title": "Stolen", "project": "999", "use_blob_urls": "true", "synchronizable": "false"})
    stored = ImportStorage.objects.get()
    assert (stored.title, stored.project, stored.use_blob_urls, stored.synchronizable) == ("Harbour bucket", project, False, True)


def test_a_target_has_a_schedule_and_a_webhook_and_no_policies(browser, s3, s3_settings, create, project):
    s3.create_bucket("data")
    pk = create("export/s3", s3_settings)["id"]
    path = f"/projects/{project.pk}/settings/storage/target/s3/{pk}/schedule"
    values = sent(browser.get(path).content.decode())
    assert set(values) == {"sync_schedule", "sync_timezone", "webhook_url"}
    assert browser.post(path, values | {"sync_schedule": "every day"}).status_code == 302
    assert ExportStorage.objects.get().sync_schedule == "every day"


@pytest.mark.parametrize(
    ("time", "zone", "words"),
    [
        ((11, 22, 21, 30), "UTC", "today, Sunday 22 November 2026, 21:30 UTC (in 1\xa0hour)"),
        ((11, 22, 23, 30), "Europe/Berlin", "tomorrow, Monday 23 November 2026, 00:30 CET (in 3\xa0hours)"),
        ((11, 30, 20, 30), "America/New_York", "Monday 30 November 2026, 15:30 EST (in 1\xa0week, 1\xa0day)"),
    ],
)
def test_a_time_is_told_by_the_clock_of_its_zone(time, zone, words):
    assert time_in_words(datetime(2026, *time, tzinfo=UTC), NOW, zone) == words


@pytest.mark.parametrize(
    ("schedule", "zone", "shown", "number"),
    [
        ("0 3 * * *", "Europe/Berlin", "03:00 CE", 3),
        ("every 6 hours", "UTC", "UTC (in ", 3),
        ("0 7 * * MON-FRI", "UTC", "day", 3),
        ("", "UTC", "No schedule", 0),
        ("nonsense", "UTC", "is no schedule", 0),
        ("0 0 30 2 *", "UTC", "never comes", 0),
        ("every day", "Nowhere/At <all>", "Nowhere/At &lt;all&gt;", 0),
        ("every day", "", "is no time zone", 0),
        ("0," * 3000, "UTC", "at most 128 characters", 0),
    ],
)
def test_the_next_times_are_told_while_one_types(browser, source, schedule, zone, shown, number):
    page = browser.get(f"{source}/times", {"sync_schedule": schedule, "sync_timezone": zone}).content.decode()
    assert shown in page.replace("\xa0", " ") and page.count("<li>") == number, page
    assert ImportStorage.objects.get().sync_schedule == ""


@pytest.mark.parametrize(("_", "schedule"), QUICK)
def test_every_common_schedule_is_one(_, schedule):
    timetable.check(schedule, "UTC")


def test_the_stored_schedule_tells_the_time_that_is_really_planned(browser, source):
    planned = timezone.now() + timedelta(hours=2, minutes=11)  # an interval counts from when it was set
    ImportStorage.objects.update(sync_schedule="every 6 hours", next_sync=planned)
    times = re.findall("<li>(.*?)</li>", browser.get(source).content.decode().partition("The next runs:")[2])
    assert f"{planned:%H:%M} UTC" in times[0] and f"{planned + timedelta(hours=6):%H:%M} UTC" in times[1] and len(times) == 3


def test_a_secret_that_no_key_opens_does_not_close_the_page(browser, source):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE storages_s3importstorage SET aws_secret_access_key = 'broken'")
    assert browser.get(source).status_code == 200


def test_it_costs_few_queries_and_reads_no_secret_but_its_own(browser, source, django_assert_num_queries):
    with django_assert_num_queries(6) as queries:  # session, user, membership, project, storage, webhook secret
        browser.get(source)
    assert not any("aws_secret_access_key" in query["sql"] for query in queries)
