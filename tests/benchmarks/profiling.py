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
from tests.benchmarks.sync_cases import IMAGES

FIRST_SYNCS = ("import", "objects", "jsonl", "parquet")  # what can be done once
TARGETS = (*FIRST_SYNCS, "again", "list", "redirect", "page", "proxy")
LINES = 30  # functions shown
REQUESTS = {"redirect": 300, "page": 60, "proxy": 64}


def prepare(target: str, api: Api, count: int) -> Callable[[], None]:
    """The work to profile, its project and source made before. Needs Django to be set up."""
    from storages import importing, jobs
    from storages.base import ImportStorage

    bucket, project = bucket_of(target, count), api.project(target)
    settings = {"regex_filter": IMAGES} if bucket.startswith("bench-") else {"use_blob_urls": target == "proxy"}
    api.prepare(bucket)
    path = api.source(project, bucket, presign=target != "proxy", sync_workers=1, **settings)
    storage = ImportStorage.objects.select_related("project").get(pk=int(path.rpartition("/")[2])).concrete()
    if target == "list":
        return lambda: print(sum(len(page.objects) for page in storage.client().list(recursive=True)), "objects")
    run = importing.begin(storage, None, "profile")
    if target in FIRST_SYNCS:
        return lambda: jobs.run_import(run.pk)
    jobs.run_import(run.pk)
    if target == "again":
        return lambda: jobs.run_import(importing.begin(ImportStorage.objects.get(pk=storage.pk), None, "profile").pk)
    return requests(target, api, project)


def bucket_of(target: str, count: int) -> str:
    """The bucket of the stub that a target works on."""
    fixed = {"page": "bench-1000", "redirect": "bench-1000", "proxy": "media"}
    kinds = {"objects": "tasks", "jsonl": "jsonl", "parquet": "parquet"}
    return fixed.get(target) or f"{kinds.get(target, 'bench')}-{count}"


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
    work = prepare(target, Api(Server(url, stub, "", {}, 0, None, [])), count)
    if target not in FIRST_SYNCS:
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
