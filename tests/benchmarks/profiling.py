"""Shows where the time goes: one kind of work in this process under cProfile. For people; no mark depends on it.

Started by ``python -m tests.benchmarks --profile TARGET`` with the environment of the server, whose database it uses.
"""

import cProfile
import os
import pstats
import sys
import time
from collections.abc import Callable

from tests.benchmarks.api import HEADERS, Api
from tests.benchmarks.server import Server

TARGETS = ("import", "list", "redirect", "page", "proxy")
LINES = 30  # functions shown
REQUESTS = {"redirect": 300, "page": 60, "proxy": 64}


def prepare(target: str, api: Api, count: int) -> Callable[[], None]:
    """The work to profile, its project and source made before. Needs Django to be set up."""
    from storages import jobs, status
    from storages.base import ImportStorage

    bucket = {"page": "bench-1000", "redirect": "bench-1000", "proxy": "media"}.get(target, f"bench-{count}")
    project = api.project(target)
    path = api.source(project, bucket, presign=target != "proxy", regex_filter=None if target == "proxy" else r".*\.jpg$")
    storage = ImportStorage.objects.select_related("project").get(pk=int(path.rpartition("/")[2])).concrete()
    if target == "list":
        return lambda: print(sum(len(page.objects) for page in storage.client().list(recursive=True)), "objects")
    run = status.begin(storage, user=None, trigger="profile")
    if target == "import":
        return lambda: jobs.run_import(run.pk)
    jobs.run_import(run.pk)
    return requests(target, api, project)


def requests(target: str, api: Api, project: int) -> Callable[[], None]:
    """Requests through the whole of Django, without a web server."""
    from django.test import Client

    client, wanted = Client(headers=HEADERS), range(REQUESTS[target])
    listing = f"/api/tasks/?project={project}&page_size=100&fields=all"
    paths = [task["data"]["image"] for task in api.call("GET", listing)["tasks"]]
    if target == "page":
        return lambda: [client.get(f"{listing}&page={n % 10 + 1}") for n in wanted] and None
    ranges = [{"Range": f"bytes={n << 23}-{((n + 1) << 23) - 1}"} if target == "proxy" else {} for n in range(8)]

    def load() -> None:
        for n in wanted:
            answer = client.get(paths[n % len(paths)], headers=ranges[n % 8])
            sum(len(chunk) for chunk in (answer.streaming_content if answer.streaming else ()))

    return load


def main(target: str, stub: str, url: str, count: int) -> None:
    """Runs ``target`` once plain if that can be repeated, then profiled; ``count``: objects of the import and the listing."""
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()
    work = prepare(target, Api(Server(url, stub, "", {}, 0, None, 0)), count)
    if target != "import":
        report_time(target, work)
    profile = cProfile.Profile(time.thread_time)  # CPU: waiting for the database or the store is nobody's hot spot
    report_time(f"{target}, profiled", lambda: profile.runcall(work))
    for order in ("tottime", "cumulative"):
        pstats.Stats(profile, stream=sys.stdout).strip_dirs().sort_stats(order).print_stats(LINES)


def report_time(name: str, work: Callable[[], None]) -> None:
    """Wall and CPU of this process, all its threads; the profile itself sees the CPU of the main thread only."""
    wall, cpu = time.monotonic(), time.process_time()
    work()
    print(f"{name}: {time.monotonic() - wall:.2f} s wall, {time.process_time() - cpu:.2f} s CPU", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:4], count=int(sys.argv[4]))
