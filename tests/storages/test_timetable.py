"""When schedules come next: intervals without drift, cron by the clock of a zone through both of its changes, bounded jitter."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storages.errors import ConfigInvalid
from storages.timetable import check, next_time

NOON = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
BERLIN = "Europe/Berlin"


def walk(schedule: str, zone: str, start: str, steps: int) -> list[str]:
    """Minutes of the next occurrences on the clock of ``zone``, day and UTC offset included."""
    time, found = datetime.fromisoformat(start), []
    for _ in range(steps):
        time = next_time(schedule, zone, time, seed=1, previous=None)
        assert time.tzinfo is UTC
        found.append(time.astimezone(ZoneInfo(zone)).strftime("%d. %H:%M %z"))
    return found


@pytest.mark.parametrize(
    ("schedule", "minutes"),
    [
        ("every 1 minute", 1), ("every minute", 1), ("every 15 minutes", 15), ("Every  2 Hours", 120), ("every hour", 60),
        ("every 1 day", 1440), ("every 366 days", 527_040), ("every 527040 minutes", 527_040),
    ],
)  # fmt: skip
def test_an_interval_is_counted_from_now_in_whole_minutes(schedule: str, minutes: int) -> None:
    time = next_time(schedule, "UTC", NOON, seed=1)
    assert time.replace(second=0) == NOON.replace(second=0) + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("every 0 minutes", "1 minute"), ("every 30 seconds", "1 minute"), ("every 367 days", "366 days"),
        ("every 999999999 hours", "366 days"), ("every 3 weeks", "weeks"), ("every -5 minutes", "is no schedule"),
        ("15 minutes", "is no schedule"), (" ", "is no schedule"), ("0 3 * *", "is no schedule"), ("@daily", "is no schedule"),
        ("*/5 * * * * *", "seconds"), ("60 * * * *", "out of range"), ("0 24 * * *", "out of range"), ("*/0 * * * *", "out of"),
        ("0 0 30 2 *", "never comes"), ("0 0 31 4,6,9,11 *", "never comes"), ("R R * * *", "'R'"), ("H 3 * * *", "'H'"),
        ("0 3 * * FOO", "'FOO'"), ("0 3 * * ?", "is no schedule"), ("a" * 128, "is no schedule"), ("1,,2 * * * *", "misspelled"),
        ("1-0 * * * *", "backwards"), ("59-5 * * * *", "backwards"), ("0 0-3,22-5 * * *", "'22-5' counts backwards"),
        ("*/61 * * * *", "only 60 values"), ("0 */25 * * *", "only 24"), ("0 0 1-9/32 * *", "only 31"),
    ],
)  # fmt: skip
def test_what_is_no_schedule_is_refused_in_words(schedule: str, words: str) -> None:
    with pytest.raises(ConfigInvalid, match=words) as refused:
        check(schedule, "UTC")
    assert refused.value.field == "sync_schedule"


@pytest.mark.parametrize("zone", ["", "Berlin", "europe/berlin", "../../etc/passwd", "America", "Europe/Berlin\0", "localtime"])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    with pytest.raises(ConfigInvalid, match="IANA") as refused:
        check("every hour", zone)
    assert refused.value.field == "sync_timezone"


def test_no_schedule_is_right_too() -> None:
    check("", "UTC")


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("0123456789*/,-#LMONFEBevry minutes\n"), max_size=40))
def test_any_text_has_a_later_time_or_is_refused(text: str) -> None:
    try:
        assert next_time(text, BERLIN, NOON, seed=1) > NOON
    except ConfigInvalid as refused:
        assert refused.field == "sync_schedule"


@pytest.mark.parametrize(
    ("schedule", "zone", "start", "expected"),
    [
        ("0 3 * * *", "UTC", "2026-11-22T03:00:00Z", ["23. 03:00 +0000", "24. 03:00 +0000"]),
        ("0 3 * * *", "Asia/Tokyo", "2026-11-22T12:00:00Z", ["23. 03:00 +0900"]),
        ("0 9 * * MON-FRI", "UTC", "2026-11-20T10:00:00Z", ["23. 09:00 +0000"]),
        ("0 0 29 2 *", "UTC", "2026-11-20T10:00:00Z", ["29. 00:00 +0000"]),
        ("0 0 L * *", "UTC", "2026-11-20T10:00:00Z", ["30. 00:00 +0000", "31. 00:00 +0000"]),
        # the clock goes from 02:00 to 03:00: 02:30 is not there and comes an hour later, nothing is doubled or left out
        ("30 2 * * *", BERLIN, "2026-03-28T00:00+01:00", ["28. 02:30 +0100", "29. 03:30 +0200", "30. 02:30 +0200"]),
        ("30 * * * *", BERLIN, "2026-03-29T00:45+01:00", ["29. 01:30 +0100", "29. 03:30 +0200", "29. 04:30 +0200"]),
        ("*/30 * * * *", BERLIN, "2026-03-29T01:15+01:00", ["29. 01:30 +0100", "29. 03:00 +0200", "29. 03:30 +0200"]),
        ("0 2,3 * * *", BERLIN, "2026-03-29T01:15+01:00", ["29. 03:00 +0200", "30. 02:00 +0200"]),
        # the clock goes from 03:00 back to 02:00: a certain hour fires the first time, every hour both times
        ("30 2 * * *", BERLIN, "2026-10-24T03:00+02:00", ["25. 02:30 +0200", "26. 02:30 +0100"]),
        ("*/30 2 * * *", BERLIN, "2026-10-25T02:15+02:00", ["25. 02:30 +0200", "26. 02:00 +0100"]),
        ("50 2 * * *", BERLIN, "2026-10-25T02:45+01:00", ["26. 02:50 +0100"]),
        ("30 * * * *", BERLIN, "2026-10-25T01:45+02:00", ["25. 02:30 +0200", "25. 02:30 +0100", "25. 03:30 +0100"]),
        (
            "*/30 * * * *", BERLIN, "2026-10-25T02:15+02:00",
            ["25. 02:30 +0200", "25. 02:00 +0100", "25. 02:30 +0100", "25. 03:00 +0100"],
        ),
        ("every 1 hours", BERLIN, "2026-10-25T01:30+02:00", ["25. 02:30 +0200", "25. 02:30 +0100", "25. 03:30 +0100"]),
        ("every 1 hours", BERLIN, "2026-03-29T00:30+01:00", ["29. 01:30 +0100", "29. 03:30 +0200"]),
        # the clock goes from 02:00 to 02:30: what was moved out of the gap may come after what stands behind it
        ("10,35 2 * * *", "Australia/Lord_Howe", "2026-10-04T01:50+10:30", ["04. 02:35 +1100", "04. 02:40 +1100", "05. 02:10 +1100"]),
        # a zone whose clock changes by half an hour
        ("*/15 * * * *", "Australia/Lord_Howe", "2026-04-05T01:50+11:00", ["05. 01:30 +1030", "05. 01:45 +1030", "05. 02:00 +1030"]),
    ],
)  # fmt: skip
def test_cron_follows_the_clock_of_its_zone(schedule: str, zone: str, start: str, expected: list[str]) -> None:
    assert walk(schedule, zone, start, len(expected)) == expected


@pytest.mark.parametrize("minutes", [5, 7, 20])
@pytest.mark.parametrize(
    ("zone", "day", "hour"),
    [
        (BERLIN, "2026-03-29", 2), (BERLIN, "2026-03-29", 3), ("America/New_York", "2026-03-08", 2),
        ("Australia/Lord_Howe", "2026-10-04", 2), ("America/Santiago", "2026-09-06", 0), ("Africa/Cairo", "2026-04-24", 0),
    ],
)  # fmt: skip
def test_nothing_is_lost_or_doubled_in_the_hour_that_a_clock_skips(zone: str, day: str, hour: int, minutes: int) -> None:
    place, start = ZoneInfo(zone), datetime.fromisoformat(day)
    read = [start.replace(hour=hour, minute=minute, tzinfo=place) for minute in range(0, 60, minutes)]
    wanted = sorted({time.astimezone(UTC) for time in read})  # PEP 495: a reading in a gap means as much later as it is wide
    time, found = start.replace(tzinfo=place) - timedelta(hours=2), []
    for _ in wanted:
        time = next_time(f"*/{minutes} {hour} * * *", zone, time, seed=1)
        found.append(time.replace(second=0))
    assert found == wanted
    assert next_time(f"*/{minutes} {hour} * * *", zone, time, seed=1) > start.replace(hour=20, tzinfo=place)


@pytest.mark.parametrize(
    "schedule", ["0 9 * * SAT-SUN", "0 9 * * FRI-MON", "*/60 * * * *", "0-59/15 0-23 1-31 1-12 0-7", "5-5 * * * *"]
)
def test_what_looks_odd_but_means_something_is_taken(schedule: str) -> None:
    check(schedule, "UTC")


def test_an_interval_does_not_drift_by_jitter_or_late_starts() -> None:
    time = next_time("every 15 minutes", "UTC", NOON, seed=7)
    for count in range(2, 200):
        time = next_time("every 15 minutes", "UTC", time + timedelta(seconds=40), seed=7, previous=time)
        assert time.replace(second=0) == NOON.replace(second=0) + count * timedelta(minutes=15)


def test_what_passed_while_the_service_was_down_is_left_behind_in_step() -> None:
    first = next_time("every 6 hours", "UTC", NOON, seed=7)
    late = next_time("every 6 hours", "UTC", first + timedelta(days=3, hours=1), seed=7, previous=first)
    assert late.replace(second=0) == first.replace(second=0) + timedelta(days=3, hours=6)


@pytest.mark.parametrize(
    ("schedule", "most"), [("every minute", 6), ("* * * * *", 6), ("every 5 minutes", 30), ("0,5 * * * *", 59), ("0 3 * * *", 59)]
)
def test_jitter_is_bounded_never_early_and_spread_over_storages(schedule: str, most: int) -> None:
    after = NOON.replace(minute=1)
    times = {seed: next_time(schedule, "UTC", after, seed) for seed in range(300)}
    base = min(times.values()).replace(second=0)
    late = {(time - base).total_seconds() for time in times.values()}
    assert min(late) == 0 and max(late) <= most and len(late) > most * 0.8
    assert times == {seed: next_time(schedule, "UTC", after, seed) for seed in range(300)}


def test_jitter_differs_between_occurrences() -> None:
    days = [next_time("0 3 * * *", "UTC", NOON + timedelta(days=n), seed=7).second for n in range(20)]
    assert len(set(days)) > 5
