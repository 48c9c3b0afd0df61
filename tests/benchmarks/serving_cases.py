"""What browsers wait for: proxied ranges, redirects to signed URLs, a page of tasks."""

from collections.abc import Iterator

from tests.benchmarks import load
from tests.benchmarks.api import Api
from tests.benchmarks.baseline import baseline
from tests.benchmarks.load import Get, Load
from tests.benchmarks.measure import MIB
from tests.benchmarks.report import COST, RATE, Figure
from tests.benchmarks.sync_cases import TIMEOUT

CLIENTS = (1, 8)
OBJECT, RANGE = 64 * MIB, 8 * MIB  # bytes; a range is what RESOLVER_PROXY_MAX_RANGE_SIZE lets through
PAGE = 100  # tasks


def proxy(api: Api, passes: int) -> Iterator[Figure]:
    """The object of 64 MiB in ranges of 8 MiB, read ``passes`` times in all."""
    project = api.project("Proxy")
    api.sync(api.source(project, "media", presign=False), 1, TIMEOUT)
    (task,) = resolver_paths(api, project)
    ranges = [{"Range": f"bytes={start}-{start + RANGE - 1}"} for start in range(0, OBJECT, RANGE)]
    requests = [Get(task, 206, headers) for headers in ranges] * passes
    load.run(api.server, requests[: len(ranges)], max(CLIENTS))  # opens the connections to the store and the database
    for clients in CLIENTS:
        done, case = load.run(api.server, requests, clients), f"Proxy, 64 MiB in 8 MiB ranges, {_named(clients)}"
        gib, kind = done.received / (1 << 30), f"proxy-{clients}"
        yield _figure(api, kind, "rate", case, "rate", done.mib_per_second, "MiB/s", RATE)
        yield _figure(api, kind, "app", case, "CPU app", done.usage.app / gib, "s/GiB")
        yield _figure(api, kind, "first", case, "first byte p50", Load.p50(done.first_byte), "ms")


def redirect(api: Api, count: int) -> Iterator[Figure]:
    """Redirects to signed URLs, ``count`` of them for each number of clients."""
    project = api.project("Redirect")
    api.sync(api.source(project, "bench-100", presign=True), 100, TIMEOUT)
    paths = resolver_paths(api, project)
    requests = [Get(paths[n % len(paths)], 303) for n in range(count)]
    load.run(api.server, requests[:100], max(CLIENTS))
    for clients in CLIENTS:
        done, case = load.run(api.server, requests, clients), f"Presigned redirect, {_named(clients)}"
        yield from _requests(api, f"redirect-{clients}", case, done)


def page(api: Api, count: int) -> Iterator[Figure]:
    """A page of 100 tasks with a URI, a text and an object each, links resolved, ``count`` times by one client."""
    data = [{"image": f"s3://bench-1000/img/{n:08d}.jpg", "text": f"number {n}", "more": {"n": n}} for n in range(1, 1001)]
    project = api.project("Page", [{"data": item} for item in data])
    api.source(project, "bench-1000", presign=True)
    path = f"/api/tasks/?project={project}&page_size={PAGE}&fields=all&resolve_uri=true&page="
    requests = [Get(f"{path}{n % 10 + 1}", 200) for n in range(count)]
    load.run(api.server, requests[:20], max(CLIENTS))
    yield from _requests(api, "page", f"Page of {PAGE} tasks, 1 client", load.run(api.server, requests, 1))


def resolver_paths(api: Api, project: int) -> list[str]:
    """The links that the first page of tasks gives to a browser."""
    tasks = api.call("GET", f"/api/tasks/?project={project}&page_size={PAGE}&resolve_uri=true")["tasks"]
    return [task["data"]["image"].removeprefix(api.server.url) for task in tasks]


def _requests(api: Api, kind: str, case: str, done: Load) -> Iterator[Figure]:
    yield _figure(api, kind, "rate", case, "rate", done.rate, "requests/s", RATE)
    yield _figure(api, kind, "app", case, "CPU app", done.usage.app / done.requests * 1000, "ms/request")
    if api.server.db:
        yield _figure(api, kind, "db", case, "CPU db", done.usage.db / done.requests * 1000, "ms/request")
    yield _figure(api, kind, "p50", case, "p50", Load.p50(done.total), "ms")


def _figure(api: Api, kind: str, name: str, case: str, label: str, value: float, unit: str, better: str = COST) -> Figure:
    return Figure(case, label, value, unit, better, baseline(kind, name, api.server.database))


def _named(clients: int) -> str:
    return f"{clients} client{'s' if clients > 1 else ''}"
