"""The syncs: Files, with nothing new, Tasks from objects and from lines, export."""

from collections.abc import Iterator

from tests.benchmarks.api import Api, Synced
from tests.benchmarks.baseline import GROWTH_MARK, PEAK_MARK, POST_MARK, POSTGRES, RATE_MARK, baseline
from tests.benchmarks.report import COST, RATE, Figure, Mark

TIMEOUT = 300  # seconds for any one sync
LARGE = 100_000  # objects from which the memory mark counts
SETTLED = 10_000  # objects from which the rate mark counts; below, starting the job is most of the time


def files(api: Api, counts: list[int]) -> Iterator[Figure]:
    """One task per object, then the same bucket again; the growth of memory from the smallest to the largest bucket."""
    peaks: dict[int, float] = {}
    for count in sorted(counts):
        project = api.project(f"Files {count}")
        source = api.source(project, f"bench-{count}", regex_filter=r".*\.jpg$")
        first = api.sync(source, count, TIMEOUT)
        peaks[count] = first.usage.peak
        rate = RATE_MARK if api.server.database == POSTGRES and count >= SETTLED else None
        peak = PEAK_MARK if count >= LARGE else None
        yield from synced(api, "files", f"Files sync, {count:,} objects", first, count, "tasks/s", rate, peak)
        yield from again(api, source, count)
    if len(peaks) > 1:
        smallest, largest = min(peaks), max(peaks)
        growth = (peaks[largest] / peaks[smallest] - 1) * 100
        yield Figure(f"Files sync, {smallest:,} to {largest:,} objects", "memory growth", growth, "%", COST, None, GROWTH_MARK)


def again(api: Api, source: str, count: int) -> Iterator[Figure]:
    """The sync of a source that holds nothing new."""
    case = f"Files sync, {count:,} objects, nothing new"
    yield from synced(api, "again", case, api.sync(source, 0, TIMEOUT), count, "keys/s")


def objects(api: Api, count: int) -> Iterator[Figure]:
    """A task in each object."""
    source = api.source(api.project("Objects"), f"tasks-{count}", use_blob_urls=False)
    first = api.sync(source, count, TIMEOUT)
    yield from synced(api, "objects", f"Tasks sync, {count:,} objects of one task", first, count, "tasks/s")


def lines(api: Api, count: int) -> Iterator[Figure]:
    """All tasks in one object, a line each."""
    source = api.source(api.project("Lines"), "jsonl", use_blob_urls=False)
    first = api.sync(source, count, TIMEOUT)
    yield from synced(api, "lines", f"Tasks sync, one JSONL of {count:,} lines", first, count, "tasks/s")


def export(api: Api, count: int) -> Iterator[Figure]:
    """An object for each annotation."""
    result = [{"from_name": "kind", "to_name": "image", "type": "choices", "value": {"choices": ["cat"]}}]
    tasks = [{"data": {"image": f"s3://bench/{n}.jpg"}, "annotations": [{"result": result}]} for n in range(count)]
    target = api.target(api.project("Export", tasks), "written")
    first = api.sync(target, count, TIMEOUT)
    yield from synced(api, "export", f"Export sync, {count:,} annotations", first, count, "objects/s")


def synced(
    api: Api, kind: str, case: str, run: Synced, count: int, unit: str, rate: Mark | None = None, peak: Mark | None = None
) -> Iterator[Figure]:
    """The figures every sync has. CPU is of all processes below ``manage.py up``, ``db`` of all of PostgreSQL."""

    def figure(name: str, label: str, value: float, unit: str, kind_of: str = COST, mark: Mark | None = None) -> Figure:
        return Figure(case, label, value, unit, kind_of, baseline(kind, name, api.server.database), mark)

    yield figure("rate", "rate", count / run.seconds, unit, RATE, rate)
    yield figure("wall", "wall", run.seconds, "s")
    yield figure("app", "CPU app", run.usage.app / count * 10_000, "s/10k")
    if api.server.db:
        yield figure("db", "CPU db", run.usage.db / count * 10_000, "s/10k")
    yield figure("peak", "peak RSS", run.usage.peak, "MiB", COST, peak)
    yield figure("post", "POST sync", run.post * 1000, "ms", COST, POST_MARK)
