"""The buttons of a card: sync and cancel, pressed twice, too late, without a queue, without a right to."""

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from django.utils import timezone

from projects.models import Project
from storages.base import ExportStorage, ImportStorage
from storages.runs import ExportRun, ImportRun, State
from tests.storages.pages.cards import HTMX, begin, browser, home, source, target, text  # noqa: F401 - fixtures
from tests.storages.targets import annotate, task  # noqa: F401 - fixtures

# ruff: noqa: F811 - fixtures as arguments
pytestmark = pytest.mark.django_db(transaction=True)


def test_sync_starts_one_run_of_the_signed_in_user_and_the_second_press_says_so(browser, home, alice, s3, source, work):
    path = f"{home}/source/s3/{source['id']}/sync"
    first = browser.post(path, follow=True)
    assert first.redirect_chain == [(home, 302)] and "The sync is queued." in text(first)
    again = browser.post(path, follow=True)
    assert "under way already" in text(again)
    run = ImportRun.objects.get()
    assert (run.trigger, run.started_by) == ("page", alice)
    work()
    assert "Completed" in text(browser.get(home))


def test_an_open_page_gets_the_card_and_the_message_instead_of_a_redirect(browser, home, source):
    answer = browser.post(f"{home}/source/s3/{source['id']}/sync", **HTMX)
    body = answer.content.decode()
    assert answer.status_code == 200 and "<html" not in body
    assert (
        f'id="said-source-{source["id"]}"' in body and "The sync is queued." in body and "Queued" in body and "every 2s" in body
    )


def test_a_sync_that_cannot_reach_the_storage_says_why_and_leaves_a_failed_run(browser, home, s3, source):
    s3.refuse_all()
    page = text(browser.post(f"{home}/source/s3/{source['id']}/sync", follow=True))
    assert "No sync was started" in page and "Failed" in page and "Could not reach" in page
    assert ImportRun.objects.get().state == State.FAILED


def test_while_the_queue_is_away_a_sync_waits_and_the_page_says_so(browser, home, source, settings, work):
    settings.RQ_QUEUES = {name: queue | {"URL": "redis://127.0.0.1:1/0"} for name, queue in django_settings.RQ_QUEUES.items()}
    page = text(browser.post(f"{home}/source/s3/{source['id']}/sync", follow=True))
    assert "The queue does not answer" in page and "starts by itself" in page
    assert ImportRun.objects.get().state == State.QUEUED


def test_cancel_ends_the_run_and_a_second_press_has_nothing_to_end(browser, home, alice, source):
    place = f"{home}/source/s3/{source['id']}"
    begin(source, state=State.IN_PROGRESS, started_at=timezone.now())
    assert "was cancelled" in text(browser.post(f"{place}/cancel", follow=True))
    assert ImportRun.objects.get().state == State.CANCELLED and str(alice) in ImportRun.objects.get().error
    assert "nothing to cancel" in text(browser.post(f"{place}/cancel", follow=True))


@pytest.mark.parametrize("action", ["sync", "cancel"])
@pytest.mark.parametrize("htmx", [{}, HTMX])
def test_a_button_of_a_storage_that_is_gone_says_so(browser, home, source, action, htmx):
    ImportStorage.objects.all().delete()
    answer = browser.post(f"{home}/source/s3/{source['id']}/{action}", follow=True, **htmx)
    assert answer.status_code == 200 and "was deleted meanwhile" in text(answer)


def test_a_secret_that_cannot_be_read_is_no_fault_of_the_server(browser, home, source):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE storages_s3importstorage SET aws_secret_access_key = 'v1:nonsense'")
    place = f"{home}/source/s3/{source['id']}"
    assert "enter the credentials again" in text(browser.post(f"{place}/sync", follow=True))
    assert "enter the credentials again" in text(browser.post(f"{place}/plan"))
    assert browser.get(home).status_code == browser.get(f"{place}/delete").status_code == 200
    assert browser.post(f"{place}/delete", {"title": "Harbour bucket"}).status_code == 302
    assert not ImportStorage.objects.exists()


def test_only_what_changed_is_written_when_that_is_asked_for(browser, home, target, task, annotate):
    annotate(task)
    browser.post(f"{home}/target/s3/{target['id']}/sync", {"only_new": "true"})
    assert ExportRun.objects.get().only_new is True


def test_a_storage_that_is_switched_off_is_not_synced(browser, home, source, target):
    ImportStorage.objects.update(synchronizable=False)
    ExportStorage.objects.update(synchronizable=False)
    assert "switched off" in text(browser.post(f"{home}/source/s3/{source['id']}/sync", follow=True))
    snapshot = browser.post(f"{home}/target/s3/{target['id']}/snapshot", {"format": "jsonl"}, follow=True)
    assert "switched off" in text(snapshot)
    assert not ImportRun.objects.exists() and not ExportRun.objects.exists()


def test_a_storage_of_another_project_is_not_found_under_this_one(browser, alice, source):
    other = Project.objects.create(title="Other", organization=alice.active_organization)
    path = f"/projects/{other.pk}/settings/storage/source/s3/{source['id']}"
    assert browser.get(f"{path}/delete").status_code == 404
    assert "was deleted meanwhile" in text(browser.post(f"{path}/sync", follow=True))
    assert not ImportRun.objects.exists()


def test_buttons_need_the_token_of_the_form(alice, home, source):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    for action in ("sync", "cancel", "delete", "plan"):
        assert browser.post(f"{home}/source/s3/{source['id']}/{action}").status_code == 403
    assert browser.get(f"{home}/source/s3/{source['id']}/sync").status_code == 405
