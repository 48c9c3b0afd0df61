"""The syncs: Files, with nothing new and with some changed, Tasks from objects and from one large file."""

from collections.abc import Iterator
from statistics import median_low

from tests.benchmarks.api import Api, Synced
from tests.benchmarks.baseline import COST_MARK, MEMORY_MARK, baseline, mark
from tests.benchmarks.report import COST, RATE, Figure

TIMEOUT = 1200  # seconds for any one sync
SETTLED = 10_000  # objects from which marks count; below, starting the job is most of the time
REPEATED, TIMES = 10_000, 3  # up to so many objects a sync is run so often, the median of the CPU time counts
IMAGES = r".*\.jpg$"


def files(api: Api, counts: list[int]) -> Iterator[Figure]:
    """One task per object, then the same bucket again; the largest once more with one in a hundred objects changed."""
    runs: dict[int, Synced] = {}
    start = _first_sync(api, 1)[1].usage.cpu
    yield Figure("Files sync, 1 object", "CPU app + db", start * 1000, "ms")
    for count in sorted(counts):
        source, runs[count] = _first_sync(api, count)
        case = f"Files sync, {count:,} objects"
        yield from synced(api, "files", case, runs[count], count, "tasks/s", marked=count >= SETTLED)
        yield from again(api, source, count, marked=count == max(counts))
    yield from changed(api, source, max(counts))
    if len(runs) > 1:
        yield from growth(runs, start)


def _first_sync(api: Api, count: int) -> tuple[str, Synced]:
    """A new source and its first sync; of several the one in the middle."""
    done: dict[float, tuple[str, Synced]] = {}
    for _ in range(TIMES if count <= REPEATED else 1):
        source = api.source(api.project(f"Files {count}"), f"bench-{count}", regex_filter=IMAGES)
        run = api.sync(source, count, TIMEOUT)
        done[run.usage.cpu] = source, run
    return done[median_low(done)]


def again(api: Api, source: str, count: int, *, marked: bool) -> Iterator[Figure]:
    """The sync of a source that holds nothing new."""
    case = f"Files sync, {count:,} objects, nothing new"
    yield from synced(api, "again", case, api.sync(source, 0, TIMEOUT), count, "keys/s", marked=marked)


def changed(api: Api, source: str, count: int) -> Iterator[Figure]:
    """The sync of a source of which 1 % has changed, and is to be taken over."""
    api.call("PATCH", source, {"changed_policy": "update"})
    api.stub("PUT", "/-/generation?percent=1")
    try:
        run = api.sync(source, 0, TIMEOUT, changed=-(-count // 100))
    finally:
        api.stub("PUT", "/-/generation?percent=0")
    case = f"Files sync, {count:,} objects, 1 % changed"
    yield from synced(api, "changed", case, run, count, "keys/s")
    yield Figure(case, "changed", run.counters["changed"] or 0, "objects", RATE)


def growth(runs: dict[int, Synced], start: float) -> Iterator[Figure]:
    """What a task costs at the largest size by what it costs at the smallest; ``start``: CPU seconds of a sync of one object.

    The start of a job weighs more on few tasks than on many and so flatters the plain ratio; the other one is without it.
    """
    small, large = min(runs), max(runs)
    case = f"Files sync, {small:,} to {large:,} objects"
    few, many = runs[small].usage, runs[large].usage
    yield Figure(case, "CPU per task", (many.cpu / large) / (few.cpu / small), "x", COST, None, COST_MARK)
    ratio = ((many.cpu - start) / large) / ((few.cpu - start) / small)
    yield Figure(case, "without the job's start", ratio, "x", COST, None, COST_MARK)
    yield Figure(case, "memory growth", (many.peak / few.peak - 1) * 100, "%", COST, None, MEMORY_MARK)


def objects(api: Api, count: int) -> Iterator[Figure]:
    """A task in each object."""
    source = api.source(api.project("Objects"), f"tasks-{count}", use_blob_urls=False)
    case = f"Tasks sync, {count:,} JSON objects of one task"
    yield from synced(api, "objects", case, api.sync(source, count, TIMEOUT), count, "tasks/s")


def lines(api: Api, count: int) -> Iterator[Figure]:
    """All tasks in one object, a line each."""
    yield from _one_file(api, "lines", f"jsonl-{count}", f"Tasks sync, one JSONL of {count:,} rows", count)


def parquet(api: Api, count: int) -> Iterator[Figure]:
    """All tasks in one Parquet file."""
    yield from _one_file(api, "parquet", f"parquet-{count}", f"Tasks sync, one Parquet of {count:,} rows", count)


def _one_file(api: Api, kind: str, bucket: str, case: str, count: int) -> Iterator[Figure]:
    api.prepare(bucket)
    source = api.source(api.project(bucket), bucket, use_blob_urls=False)
    yield from synced(api, kind, case, api.sync(source, count, TIMEOUT), count, "rows/s")


def synced(api: Api, kind: str, case: str, run: Synced, count: int, unit: str, *, marked: bool = True) -> Iterator[Figure]:
    """The figures every sync has. CPU is of all processes below ``manage.py up``, ``db`` of all of PostgreSQL."""
    database, usage, tens = api.server.database, run.usage, count / 10_000

    def figure(name: str, label: str, value: float, unit: str, better: str = COST, marked_as: str = "") -> Figure:
        wanted = mark(kind, marked_as or name, database) if marked else None
        return Figure(case, label, value, unit, better, baseline(kind, name, database), wanted)

    yield figure("rate", "rate", count / run.seconds, unit, RATE)
    yield figure("wall", "wall", run.seconds, "s")
    if api.server.db:
        yield figure("app", "CPU app", usage.app / tens, "s/10k")
        yield figure("db", "CPU db", usage.db / tens, "s/10k")
        yield figure("cpu", "CPU app + db", usage.cpu / tens, "s/10k")
    else:
        yield figure("app", "CPU app", usage.cpu / tens, "s/10k", marked_as="cpu")
    yield figure("peak", "peak RSS", usage.peak, "MiB")
    yield figure("post", "POST sync", run.post * 1000, "ms")
    yield figure("others", "used by others", usage.others, "CPUs")
