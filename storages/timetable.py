"""When a schedule comes next: intervals, cron expressions, time zones, jitter. Pure arithmetic; knows no storage and no queue."""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from croniter import CroniterBadDateError, CroniterError, croniter

from storages.errors import ConfigInvalid

SCHEDULE, ZONE = "sync_schedule", "sync_timezone"
UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
DAY, LONGEST = timedelta(days=1), timedelta(days=366)
MOST_JITTER = 59  # seconds: an occurrence is a whole minute, and its jitter stays inside that minute
JITTER_SHARE = 10  # the jitter is at most one part in so many of the time between two occurrences
EXAMPLES = 'write "every 15 minutes", "every 6 hours", "every day" or a cron expression such as "0 3 * * *"'
INTERVAL = re.compile(r"every(?: (?P<number>[0-9]{1,9}))? (?P<unit>[a-z]+?)s?", re.IGNORECASE)
FIELDS = (("minute", 60), ("hour", 24), ("day", 31), ("month", 12), ("weekday", 7))  # and how many values each has
FIELD = re.compile(r"[0-9A-Za-z*,/#-]+")
NAMES = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"} | {
    "MON",
    "TUE",
    "WED",
    "THU",
    "FRI",
    "SAT",
    "SUN",
    "L",
}  # fmt: skip - croniter's H and R would give another time at each call


def parse(text: str) -> timedelta | str:
    """The interval between two syncs, or the five fields of a cron expression (crontab(5)) with one blank between them.

    Intervals are whole minutes from 1 minute to 366 days. Raises ConfigInvalid naming ``sync_schedule``.
    """
    words = " ".join(text.split())
    if match := INTERVAL.fullmatch(words):
        return _interval(int(match["number"] or 1), match["unit"].lower())
    fields = words.split(" ")
    if len(fields) == 6 and all(FIELD.fullmatch(field) for field in fields):
        raise _refused("a cron expression has five fields (minute, hour, day, month, weekday), seconds are not among them")
    if len(fields) != 5 or not all(FIELD.fullmatch(field) for field in fields):
        raise _refused(f"{text[:80]!r} is no schedule; {EXAMPLES}")
    if unknown := {word.upper() for word in re.findall("[A-Za-z]+", words)} - NAMES:
        raise _refused(f"{sorted(unknown)[0]!r} means nothing in a cron expression; {EXAMPLES}")
    next(_clock_times(words, datetime(2000, 1, 1)))
    for field, (name, values) in zip(fields, FIELDS, strict=True):
        _refuse_typos(field, name, values)
    return words


def _refuse_typos(field: str, name: str, values: int) -> None:
    """Refuses what croniter takes and nobody means; the weekend may go round the end of the week."""
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if step.isdigit() and int(step) > values:
            raise _refused(f"{part!r}: a {name} has only {values} values, a step of {step} never comes to a second one")
        if name != "weekday" and first.isdigit() and last.isdigit() and int(first) > int(last):
            raise _refused(f"{part!r} counts backwards; a range of the {name} field begins with the smaller number")


def _interval(number: int, unit: str) -> timedelta:
    if unit not in UNITS:
        raise _refused(f"an interval counts minutes, hours or days, not {unit[:20]}s; the shortest is 1 minute")
    if number < 1:
        raise _refused("the shortest interval is 1 minute")
    if number > LONGEST / UNITS[unit]:
        raise _refused(f"the longest interval is {LONGEST.days} days")
    return number * UNITS[unit]


def _refused(message: str) -> ConfigInvalid:
    return ConfigInvalid(message, field=SCHEDULE)


def check(schedule: str, timezone: str) -> None:
    """Raises ConfigInvalid naming ``sync_schedule`` or ``sync_timezone``; "" is no schedule and right."""
    find_zone(timezone)
    if schedule:
        parse(schedule)


def find_zone(name: str) -> ZoneInfo:
    """The time zone of an IANA name. Raises ConfigInvalid naming ``sync_timezone``."""
    if name not in _zone_names():
        raise ConfigInvalid(f"{name[:80]!r} is no time zone; use an IANA name such as Europe/Berlin or UTC", field=ZONE)
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def _zone_names() -> set[str]:
    return available_timezones() - {"localtime"}  # another zone on each machine


def next_time(schedule: str, timezone: str, after: datetime, seed: int, *, previous: datetime | None = None) -> datetime:
    """The first time of ``schedule`` later than ``after``, in UTC and whole seconds. Raises ConfigInvalid as ``check`` does.

    Intervals are elapsed time, counted from ``previous`` (an earlier answer of this function) or, without one, from
    ``after``. Cron expressions are read off the clock of ``timezone``: what falls into the hour that a clock skips comes
    as much later as the clock skips; in the hour that comes twice, an expression for certain hours fires the first time
    only, one for every hour (``*`` or ``*/n``) both times, as cron(8) of Debian does.

    Jitter: up to a tenth of the time to the following occurrence and at most 59 s later, never earlier; the same for the
    same ``seed`` (the storage's id) and occurrence, so that a hundred storages due at 03:00 do not start as one.
    """
    zone, rule = find_zone(timezone), parse(schedule)
    if isinstance(rule, timedelta):
        start = (previous or after).astimezone(UTC).replace(second=0, microsecond=0)
        time, gap = start + rule * max((after - start) // rule + 1, 1), rule
    else:
        time = _next_by_clock(rule, zone, after)
        gap = _next_by_clock(rule, zone, time) - time
    return time + _jitter(seed, time, gap)


def _jitter(seed: int, time: datetime, gap: timedelta) -> timedelta:
    most = min(gap // timedelta(seconds=JITTER_SHARE), MOST_JITTER)
    digest = hashlib.sha256(f"{seed} {time.timestamp():.0f}".encode()).digest()
    return timedelta(seconds=int.from_bytes(digest[:4]) % (most + 1))


def _next_by_clock(cron: str, zone: ZoneInfo, after: datetime) -> datetime:
    local = after.astimezone(zone)
    clock = local.replace(tzinfo=None, fold=0, second=0, microsecond=0)
    both = cron.split()[1].startswith("*")
    found = [_first(cron, zone, clock, after, both)]
    early, late = _instants(clock, zone)
    if both and early < late and not local.fold:  # what was before ``after`` on the clock is still to come a second time
        found.append(_first(cron, zone, clock - (late - early), after, both))
    skipped = early.astimezone(zone).utcoffset() - (early - DAY).astimezone(zone).utcoffset()
    if skipped > timedelta(0):  # what the clock left out may still be to come, as much later
        found.append(_first(cron, zone, clock - skipped, after, both))
    return min(found)


def _first(cron: str, zone: ZoneInfo, clock: datetime, after: datetime, both: bool) -> datetime:
    moved = []  # out of a gap: what stands behind the gap on the clock may be sooner
    for time in _clock_times(cron, clock):
        early, late = _instants(time, zone)
        if early > after:
            moved.append(early)
            if early <= late:
                return min(moved)
        elif both and late > after:
            return late
    raise AssertionError("unreachable: the times of a cron expression do not end")


def _instants(clock: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """What a reading of the clock means the first and the second time (PEP 495); the second is earlier in a gap."""
    return clock.replace(tzinfo=zone).astimezone(UTC), clock.replace(tzinfo=zone, fold=1).astimezone(UTC)


def _clock_times(cron: str, after: datetime) -> Iterator[datetime]:
    try:
        walk = croniter(cron, after)
        while True:
            yield walk.get_next(datetime)
    except CroniterBadDateError:
        raise _refused(f"{cron!r} never comes, such as a 30 February; {EXAMPLES}") from None
    except CroniterError:
        raise _refused(f"{cron!r} is no cron expression: a field is out of range or misspelled; {EXAMPLES}") from None
