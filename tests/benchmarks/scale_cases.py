"""Syncs of a store that takes its time for every page, as real ones do: with the usual workers, with one and with four."""

import os
from collections.abc import Iterator

from tests.benchmarks import s3_stub
from tests.benchmarks.api import Api, Synced
from tests.benchmarks.baseline import RATIO_MARK
from tests.benchmarks.report import COST, RATE, Figure
from tests.benchmarks.server import start
from tests.benchmarks.sync_cases import IMAGES, TIMEOUT, synced

PAGE_LATENCY = 80  # milliseconds
# milliseconds: what was promised, over so many times the objects that the start of a run hardly counts; and one at which two
# processors do not limit four workers
LATENCIES = {60: 3, 250: 1}
WORKERS = (1, 4)


def latency(api: Api, count: int) -> Iterator[Figure]:
    """The Files sync at 80 ms per page of 1,000 keys."""
    run = _sync(api, count, PAGE_LATENCY)
    case = f"Files sync, {count:,} objects, {PAGE_LATENCY} ms a page"
    yield from synced(api, "latency", case, run, count, "tasks/s")


def scale(api: Api, count: int) -> Iterator[Figure]:
    """What four workers do in the time of one; each number of workers has a server of its own."""
    runs: dict[tuple[int, int], Synced] = {}
    for workers in WORKERS:
        with start(api.server.database, workers) as server:
            for pause, times in LATENCIES.items():
                runs[pause, workers] = _sync(Api(server), count * times, pause)
    for pause, times in LATENCIES.items():
        case, one_and_four = f"Scale-out, {count * times:,} objects, {pause} ms a page", (runs[pause, n] for n in WORKERS)
        yield from _compared(case, count * times, *one_and_four)


def _compared(case: str, count: int, one: Synced, four: Synced) -> Iterator[Figure]:
    for run, who in ((one, "1 worker"), (four, "4 workers")):
        yield Figure(case, who, count / run.seconds, "tasks/s", RATE)
        yield Figure(case, f"CPU, {who}", run.usage.cpu / count * 10_000, "s/10k", COST)
        yield Figure(case, f"used by {who}", run.usage.cpus, f"CPUs of {os.cpu_count()}", COST)
        yield Figure(case, "used by others", run.usage.others, "CPUs", COST)
    yield Figure(case, "4 workers by 1", one.seconds / four.seconds, "x", RATE, None, RATIO_MARK)


def _sync(api: Api, count: int, pause: int) -> Synced:
    """The first sync from a stub that waits ``pause`` milliseconds before each page."""
    with s3_stub.start("--page-latency-ms", str(pause)) as stub:
        project = api.project(f"{pause} ms")
        return api.sync(api.source(project, f"bench-{count}", regex_filter=IMAGES, s3_endpoint=stub), count, TIMEOUT)
