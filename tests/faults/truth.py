"""Compares what is stored with what must be: links, tasks, counters, issues, leftovers. Says every difference in words."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from storages.base import ImportStorage
from storages.links import Flag, ImportLink, ObjectState
from storages.runs import ImportIssue, ImportRun
from storages.shards import ParkedObject, Seen, Shard
from tasks.models import Task
from tests.faults.things import Thing
from tests.tasks.checks import assert_counters_right

Row = tuple[str, int, int]  # key, row group, row index
POLICIES = [Flag.CHANGED, Flag.VANISHED]  # codes of issues that are no failures


@dataclass
class Truth:
    """What a run must leave behind. ``counters``: of the run; a missing one is not looked at."""

    tasks: dict[Row, dict]
    bad: Counter[tuple[str, int | None]] = field(default_factory=Counter)
    notes: Counter[tuple[str, str]] = field(default_factory=Counter)  # (key, code) of what the policies say
    flags: dict[str, str] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    states: dict[str, tuple[str, int]] | None = None  # "Tasks": key → how its reading ended, rows with a task
    error_code: str = ""
    created: bool = True  # the run's counter is the number of new links

    @property
    def state(self) -> str:
        return "failed" if self.error_code else "completed_with_errors" if self.bad else "completed"


def truth_of(things: Iterable[Thing], *, files: bool) -> Truth:
    """That of a first sync over ``things``."""
    things = list(things)
    bad = Counter((thing.key, row) for thing in things for row in thing.bad)
    return Truth(
        tasks={(thing.key, *place): data for thing in things for place, data in thing.rows.items()},
        bad=bad,
        counters={
            "listed": len(things),
            "settled": len(things),
            "failed": bad.total(),
            "changed": 0,
            "vanished": 0,
            "renamed": 0,
        },
        states=None if files else {t.key: ("failed" if t.bad else "done", len(t.rows)) for t in things},
    )


def rows_of(storage_id: int) -> set[Row]:
    """The rows that have a link."""
    return set(ImportLink.objects.filter(storage_id=storage_id).values_list("key", "row_group", "row_index"))


def differences(truth: Truth, run: ImportRun, before: set[Row]) -> list[str]:
    """In what the storage of ``run`` is not as ``truth`` says; ``before``: its rows when the run began."""
    run.refresh_from_db()
    found = [f"state {run.state} ({run.error_code} {run.error[:300]}), not {truth.state}"] if run.state != truth.state else []
    if run.error_code != truth.error_code:
        found.append(f"error code {run.error_code!r}, not {truth.error_code!r}")
    return [*found, *_tasks(truth, run), *_counters(truth, run, before), *_issues(truth, run), *_leftovers(run)]


def _tasks(truth: Truth, run: ImportRun) -> list[str]:
    links = ImportLink.objects.filter(storage_id=run.storage_id).values_list("key", "row_group", "row_index", "task_id", "flag")
    stored = [((key, group, index), task, flag) for key, group, index, task, flag in links]
    project = ImportStorage.objects.get(pk=run.storage_id).project
    data = dict(Task.objects.filter(project=project).values_list("id", "data"))
    found = _sets("links", Counter(row for row, _, _ in stored), Counter(truth.tasks.keys()))
    found += _sets("tasks of links", Counter(task for _, task, _ in stored), Counter(data.keys()))
    wrong = [row for row, task, _ in stored if row in truth.tasks and data.get(task) != truth.tasks[row]]
    if wrong:
        found.append(f"{len(wrong)} tasks hold other data than their rows, first {wrong[0]}")
    flags = {row[0]: flag for row, _, flag in stored if flag}
    if flags != truth.flags:
        found.append(f"flags {_some(flags.items())}, not {_some(truth.flags.items())}")
    try:
        assert_counters_right(project)
    except AssertionError as error:
        found.append(f"counters of the project are wrong: {str(error)[:300]}")
    if truth.states is not None:
        states = {key: (state, rows) for key, state, rows in _states(run)}
        found += _sets("object states", Counter(states.items()), Counter(truth.states.items()))
    return found


def _states(run: ImportRun) -> list[tuple[str, str, int]]:
    return list(ObjectState.objects.filter(storage_id=run.storage_id).values_list("key", "state", "rows"))


def _counters(truth: Truth, run: ImportRun, before: set[Row]) -> list[str]:
    wanted = dict(truth.counters)
    if truth.created:
        wanted["created"] = len(set(truth.tasks) - before)
    return [f"run.{name} is {getattr(run, name)}, not {value}" for name, value in wanted.items() if getattr(run, name) != value]


def _issues(truth: Truth, run: ImportRun) -> list[str]:
    issues = ImportIssue.objects.filter(run=run)
    bad = Counter(issues.exclude(code__in=POLICIES).values_list("key", "row"))
    notes = Counter(issues.filter(code__in=POLICIES).values_list("key", "code"))
    return _sets("issues", bad, truth.bad) + _sets("notes", notes, truth.notes)


def _leftovers(run: ImportRun) -> list[str]:
    if not run.state.startswith("completed"):
        return []
    counts = {model.__name__: model.objects.filter(run=run).count() for model in (Shard, Seen, ParkedObject)}
    return [f"{count} rows of {name} were left" for name, count in counts.items() if count]


def _sets(name: str, stored: Counter, wanted: Counter) -> list[str]:
    missing, more = wanted - stored, stored - wanted
    if not missing and not more:
        return []
    return [f"{name}: {missing.total()} missing {_some(missing)}, {more.total()} too many {_some(more)}"]


def _some(items: Iterable) -> str:
    return ", ".join(str(item) for item in sorted(items, key=str)[:3]) or "-"
