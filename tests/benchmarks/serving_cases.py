"""What browsers wait for: proxied ranges, redirects to signed URLs, a page of tasks."""

from collections.abc import Iterator

from tests.benchmarks import load, statements
from tests.benchmarks.api import Api
from tests.benchmarks.baseline import baseline, mark
from tests.benchmarks.fronted import cpu, fronted
from tests.benchmarks.load import Get, Load
from tests.benchmarks.measure import MIB
from tests.benchmarks.report import COST, RATE, Figure
from tests.benchmarks.sync_cases import TIMEOUT

CLIENTS, STREAMS = (1, 8), (1, 8, 64)
OBJECT, RANGE = 256 * MIB, 8 * MIB  # bytes; a range is what RESOLVER_PROXY_MAX_RANGE_SIZE lets through
PAGE = 100  # tasks
KEY = "media/big.bin"


def proxy(api: Api, passes: int) -> Iterator[Figure]:
    """The object of 256 MiB in ranges of 8 MiB, read ``passes`` times in all: from the store, through us, through nginx."""
    project = api.project("Proxy")
    api.sync(api.source(project, "media", presign=False), 1, TIMEOUT)
    (task,) = resolver_paths(api, project)
    ranges = [{"Range": f"bytes={start}-{start + RANGE - 1}"} for start in range(0, OBJECT, RANGE)]
    with fronted(api.server) as nginx:
        for kind, path, url in (
            ("direct", f"/{KEY}", api.server.stub),
            ("proxy", task, api.server.url),
            ("nginx", task, nginx),
        ):
            requests = [Get(path, 206, headers) for headers in ranges] * passes
            load.run(api.server, requests[: len(ranges)], max(STREAMS), url)  # opens the connections to store and database
            for clients in STREAMS:
                before = cpu()
                done = load.run(api.server, requests, clients, url)
                yield from _streams(api, f"{kind}-{clients}", PATHS[kind], done, cpu() - before)


PATHS = {"direct": "Straight from the store", "proxy": "Proxy", "nginx": "Proxy, nginx carries the bytes"}


def _streams(api: Api, kind: str, path: str, done: Load, carrier: float) -> Iterator[Figure]:
    case, gib = f"{path}, 256 MiB in 8 MiB ranges, {_named(done.clients)}", done.received / (1 << 30)
    yield _figure(api, kind, "rate", case, "rate", done.mib_per_second, "MiB/s", RATE)
    yield _figure(api, kind, "first", case, "first byte p50", Load.p50(done.first_byte), "ms")
    if not kind.startswith("direct"):
        label = "CPU app and nginx" if carrier else "CPU app"
        yield _figure(api, kind, "app", case, label, (done.usage.app + carrier) / gib, "s/GiB")


def redirect(api: Api, count: int) -> Iterator[Figure]:
    """Redirects to signed URLs, ``count`` of them for each number of clients: to a token, and by signed links."""
    project = api.project("Redirect")
    api.sync(api.source(project, "bench-1000", presign=True), 1000, TIMEOUT)
    for kind, case, options in (
        ("redirect", "Presigned redirect", ""),
        ("link", "Presigned redirect by a signed link", "&signed_links=true"),
    ):
        paths = resolver_paths(api, project, 1000, options)
        requests = [Get(paths[n % len(paths)], 303) for n in range(count)]
        load.run(api.server, requests[:100], max(CLIENTS))
        for clients in CLIENTS:
            done = load.run(api.server, requests, clients)
            yield from _requests(api, f"{kind}-{clients}", f"{case}, {_named(clients)}", done)


def page(api: Api, count: int) -> Iterator[Figure]:
    """A page of 100 tasks with a URI, a text and an object each, links resolved, ``count`` times by one client."""
    data = [{"image": f"s3://bench-1000/img/{n:08d}.jpg", "text": f"number {n}", "more": {"n": n}} for n in range(1, 1001)]
    project = api.project("Page", [{"data": item} for item in data])
    api.source(project, "bench-1000", presign=True)
    path = f"/api/tasks/?project={project}&page_size={PAGE}&fields=all&resolve_uri=true&page="
    requests = [Get(f"{path}{n % 10 + 1}", 200) for n in range(count)]
    load.run(api.server, requests[:20], max(CLIENTS))
    case = f"Page of {PAGE} tasks, 1 client"
    yield from _requests(api, "page", case, load.run(api.server, requests, 1))
    yield _figure(api, "page", "statements", case, "SQL statements", statements.of(api.server, f"{path}1"), "")


def resolver_paths(api: Api, project: int, count: int = PAGE, options: str = "") -> list[str]:
    """The links that the first page of tasks gives to a browser."""
    tasks = api.call("GET", f"/api/tasks/?project={project}&page_size={count}&resolve_uri=true{options}")["tasks"]
    return [task["data"]["image"].removeprefix(api.server.url) for task in tasks]


def _requests(api: Api, kind: str, case: str, done: Load) -> Iterator[Figure]:
    yield _figure(api, kind, "rate", case, "rate", done.rate, "requests/s", RATE)
    yield _figure(api, kind, "app", case, "CPU app", done.usage.app / done.requests * 1000, "ms/request")
    if api.server.db:
        yield _figure(api, kind, "db", case, "CPU db", done.usage.db / done.requests * 1000, "ms/request")
    yield _figure(api, kind, "p50", case, "p50", Load.p50(done.total), "ms")


def _figure(api: Api, kind: str, name: str, case: str, label: str, value: float, unit: str, better: str = COST) -> Figure:
    db = api.server.database
    return Figure(case, label, value, unit, better, baseline(kind, name, db), mark(kind, name, db))


def _named(clients: int) -> str:
    return f"{clients} client{'s' if clients > 1 else ''}"
