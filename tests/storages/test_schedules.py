"""Schedules of storages: each occurrence starts one sync, whatever is lost, doubled, late or away."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import django_rq
import pytest
from django.db import connection
from django.utils import timezone
from redis.connection import Connection
from rq.job import Job
from rq.registry import ScheduledJobRegistry
from rq.serializers import JSONSerializer

from projects.models import Project
from storages import schedules, status
from storages.backends import BACKENDS
from storages.base import ExportStorage, ImportStorage, Storage
from storages.runs import ImportRun, Run, State
from tests.environment import free_port

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def registry() -> Iterator[ScheduledJobRegistry]:
    """What RQ's scheduler holds; nothing before and after."""
    found = ScheduledJobRegistry(queue=django_rq.get_queue("default"))
    found.connection.delete(found.key)
    yield found
    found.connection.delete(found.key)


@pytest.fixture
def make(project: Project) -> Callable[..., Storage]:
    def create(schedule: str = "every 15 minutes", *, export: bool = False, **columns: object) -> Storage:
        model = BACKENDS["s3"].export_model if export else BACKENDS["s3"].import_model
        storage = model.objects.create(project=project, bucket="data", sync_schedule=schedule, **columns)
        schedules.plan_next(storage)
        return storage

    return create


def start(storage: Storage) -> Run | None:
    return status.begin(storage, user=None, trigger="schedule")


def fire(storage: Storage, begin: Callable[[Storage], Run | None] = start) -> Run | None:
    return schedules.fire(ImportStorage, storage.pk, begin)


def planned(storage: Storage) -> datetime | None:
    return ImportStorage.objects.get(pk=storage.pk).next_sync


def set_due(storage: Storage, **ago: float) -> datetime:
    """The next sync was due so long ago."""
    due = timezone.now().replace(microsecond=0) - timedelta(**ago)
    ImportStorage.objects.filter(pk=storage.pk).update(next_sync=due)
    return due


def call_of(storage: Storage, direction: str = "import") -> str:
    return f"schedule-{direction}-{storage.pk}-{storage.next_sync.timestamp():.0f}"


@pytest.mark.parametrize(("export", "direction"), [(False, "import"), (True, "export")])
def test_the_next_sync_is_planned_and_rq_holds_a_json_job_with_one_id(make, registry, export: bool, direction: str) -> None:
    storage = make(export=export)
    assert timedelta(minutes=14) <= storage.next_sync - timezone.now() <= timedelta(minutes=16)
    job = Job.fetch(call_of(storage, direction), connection=registry.connection, serializer=JSONSerializer)
    assert (job.func_name, job.args, job.kwargs) == (f"storages.jobs.scheduled_{direction}", [storage.pk], {})
    assert registry.get_scheduled_time(job) == storage.next_sync


@pytest.mark.parametrize("change", [{"sync_schedule": ""}, {"synchronizable": False}])
def test_a_cleared_schedule_fires_no_more(make, change: dict) -> None:
    storage = make()
    before = schedules.settings_of(storage)
    ImportStorage.objects.filter(pk=storage.pk).update(**change)
    storage.refresh_from_db()
    assert schedules.settings_of(storage) != before
    schedules.plan_next(storage)
    assert planned(storage) is None and fire(storage) is None
    assert schedules.ensure(ImportStorage, timezone.now() + timedelta(days=1)) == []


def test_a_storage_that_may_not_be_synced_never_fires_although_due(make) -> None:
    storage = make()
    due = set_due(storage, hours=1)
    ImportStorage.objects.filter(pk=storage.pk).update(synchronizable=False)
    assert fire(storage) is None and planned(storage) == due
    assert schedules.ensure(ImportStorage, timezone.now()) == []


def test_a_call_that_comes_twice_starts_one_sync(make, registry) -> None:
    storage = make()
    due = set_due(storage, seconds=20)
    registry.connection.delete(registry.key)
    run = fire(storage)
    assert run.state == State.QUEUED and run.trigger == "schedule"
    ImportRun.objects.filter(pk=run.pk).update(state=State.COMPLETED)
    assert fire(storage) is None and ImportRun.objects.count() == 1
    assert planned(storage).replace(second=0) == due.replace(second=0) + timedelta(minutes=15)
    storage.refresh_from_db()
    assert call_of(storage) in registry


def test_calls_that_come_at_once_start_one_sync(make) -> None:
    storage, barrier, runs = make("every minute"), threading.Barrier(6), []
    set_due(storage, minutes=5)

    def ended(storage: Storage) -> Run | None:
        run = start(storage)  # ends at once, so that nothing but the claim keeps a second one away
        ImportRun.objects.filter(pk=run.pk).update(state=State.COMPLETED)
        return run

    def call() -> None:
        barrier.wait()
        runs.append(fire(storage, ended))
        connection.close()

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(run is not None for run in runs) == [False] * 5 + [True]


def test_a_call_that_comes_too_early_or_for_a_changed_schedule_does_nothing(make) -> None:
    storage = make()
    assert fire(storage) is None and planned(storage) == storage.next_sync


def test_a_worker_that_dies_while_it_starts_the_sync_leaves_it_due(make) -> None:
    storage = make()
    due = set_due(storage, minutes=2)

    def die(storage: Storage) -> None:
        start(storage)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fire(storage, die)
    assert planned(storage) == due and not ImportRun.objects.exists()
    assert schedules.ensure(ImportStorage, timezone.now()) == [storage.pk]
    assert fire(storage) is not None


def test_while_a_sync_is_under_way_the_occurrence_is_skipped(make, caplog) -> None:
    storage = make()
    start(storage)
    set_due(storage, seconds=1)
    with caplog.at_level(logging.INFO, "storages.schedules"):
        assert fire(storage) is None
    assert ImportRun.objects.count() == 1 and planned(storage) > timezone.now()
    assert "skipped" in caplog.text


def test_what_was_missed_while_the_service_was_down_is_made_up_once(make) -> None:
    storage = make("every 1 hours")
    due = set_due(storage, days=3, minutes=30)
    run = fire(storage)
    ImportRun.objects.filter(pk=run.pk).update(state=State.COMPLETED)
    assert planned(storage).replace(second=0) == due.replace(second=0) + timedelta(days=3, hours=1)
    assert fire(storage) is None and schedules.ensure(ImportStorage, timezone.now()) == []


def test_a_schedule_that_is_none_any_more_is_put_aside_and_told(make, caplog) -> None:
    storage = make()
    set_due(storage, minutes=2)
    ImportStorage.objects.filter(pk=storage.pk).update(sync_timezone="Atlantis/Harbour")
    assert fire(storage) is not None  # the occurrence itself was right
    assert planned(storage) is None and "Atlantis" in caplog.text


def test_a_secret_that_cannot_be_read_does_not_keep_a_sync_from_starting(make, settings) -> None:
    storage = make(webhook_secret="hush")
    set_due(storage, seconds=5)
    settings.STORAGE_ENCRYPTION_KEYS = ["another"]
    assert fire(storage) is not None


def test_lost_calls_are_made_again_with_one_query_and_two_round_trips(
    make, registry, monkeypatch, django_assert_num_queries
) -> None:
    storages = [make("every 15 minutes") for _ in range(5)] + [make("0 3 1 1 *")]
    trips: list[object] = []
    send = Connection.send_packed_command
    monkeypatch.setattr(Connection, "send_packed_command", lambda *a, **k: (trips.append(a), send(*a, **k))[1])
    with django_assert_num_queries(1):
        assert schedules.ensure(ImportStorage, timezone.now()) == []
    assert len(trips) == 1  # nothing is missing
    registry.connection.flushdb()
    trips.clear()
    with django_assert_num_queries(1):
        schedules.ensure(ImportStorage, timezone.now())
    assert len(trips) == 2
    assert set(registry.get_job_ids()) == {call_of(storage) for storage in storages[:5]}  # the far one has time


def test_without_schedules_the_queue_is_not_asked(monkeypatch, make) -> None:
    make("")
    with monkeypatch.context() as patch:
        patch.setattr(Connection, "send_packed_command", lambda *a, **k: pytest.fail("asked"))
        assert schedules.ensure(ImportStorage, timezone.now()) == schedules.ensure(ExportStorage, timezone.now()) == []


def test_only_what_is_overdue_by_more_than_a_minute_is_to_be_fired_without_a_call(make) -> None:
    late, later, soon = make(), make(), make()
    set_due(late, seconds=70), set_due(later, seconds=90), set_due(soon, seconds=50)
    assert schedules.ensure(ImportStorage, timezone.now()) == [later.pk, late.pk]


def test_a_queue_that_is_away_delays_nobody_and_gets_its_calls_later(make, registry, settings) -> None:
    there, away = settings.RQ_QUEUES, {"URL": f"redis://127.0.0.1:{free_port()}/0", "DEFAULT_TIMEOUT": 60}
    settings.RQ_QUEUES = {"default": away}
    began = time.monotonic()
    storage = make()
    assert schedules.ensure(ImportStorage, timezone.now()) == [] and time.monotonic() - began < 3
    assert planned(storage) is not None and call_of(storage) not in registry
    settings.RQ_QUEUES = there
    schedules.ensure(ImportStorage, timezone.now())
    assert call_of(storage) in registry
