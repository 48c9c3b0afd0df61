"""What leaves the service: an object for each annotation, snapshots to train on, and what a target adds to a user's save."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.benchmarks import s3_stub
from tests.benchmarks.api import Api, Synced
from tests.benchmarks.baseline import MEMORY_MARK, SAVE_MARK
from tests.benchmarks.load import Load
from tests.benchmarks.report import COST, Figure
from tests.benchmarks.sync_cases import TIMEOUT, synced

PORTION = 10_000  # tasks of one import request
WARM = 20  # saves that nobody counts


def exports(api: Api, count: int) -> Iterator[Figure]:
    """An object for each annotation, the same again, and once more with nothing to do; to a bucket and to a directory."""
    project = annotated(api, "Export", count)
    for kind, place, target in (
        ("export", "S3", api.target(project, "written")),
        ("export-local", "local files", api.directory(project, "written")),
    ):
        case = f"Export sync to {place}, {count:,} annotations"
        yield from synced(api, kind, case, api.sync(target, count, TIMEOUT), count, "objects/s")
        yield from synced(api, f"{kind}-again", f"{case}, again", api.sync(target, count, TIMEOUT), count, "objects/s")
        nothing = api.sync(target, 0, TIMEOUT, action="sync?only_new=true")
        yield from synced(api, "only-new", f"{case}, only_new, nothing to do", nothing, count, "objects/s")
        api.call("DELETE", target)
    assert_written(api, "written", count)


def assert_written(api: Api, folder: str, count: int) -> None:
    """A figure is worth nothing if the objects are not there."""
    assert sum(1 for _ in Path(api.server.env["LOCAL_FILES_DOCUMENT_ROOT"], folder).iterdir()) == count


def snapshots(api: Api, counts: list[int]) -> Iterator[Figure]:
    """All annotated tasks in few objects, in both formats; memory must not depend on how many tasks there are."""
    targets = {count: api.target(annotated(api, f"Snapshot {count}", count), f"snapshot-of-{count}") for count in sorted(counts)}
    for form, name in (("jsonl", "JSON Lines"), ("parquet", "Parquet")):
        runs: dict[int, Synced] = {}
        for count, target in targets.items():
            runs[count] = api.sync(target, count, TIMEOUT, action="snapshot", body={"format": form})
            case = f"Snapshot of {count:,} tasks, {name}"
            yield from synced(api, f"snapshot-{form}", case, runs[count], count, "tasks/s", marked=count == max(counts))
        if len(runs) > 1:
            growth = runs[max(runs)].usage.peak / runs[min(runs)].usage.peak - 1
            case = f"Snapshots of {min(runs):,} to {max(runs):,} tasks, {name}"
            yield Figure(case, "memory growth", growth * 100, "%", COST, None, MEMORY_MARK)


def saves(api: Api, count: int) -> Iterator[Figure]:
    """What a user waits for when an annotation is saved: without a target, and with one that is dead or never answers."""
    case = "Save of an annotation"
    alone = _median(api, annotated(api, "No target", 1), count)
    yield Figure(case, "no target, p50", alone, "ms")
    for name, silent in (("dead", False), ("silent", True)):
        project = annotated(api, f"A {name} target", 1)
        with s3_stub.start() as stub:  # alive while its settings are checked
            target = api.target(project, "lost", s3_endpoint=stub)
        port = urlsplit(stub).port
        listener = socket.create_server(("127.0.0.1", port or 0)) if silent else None
        median = _median(api, project, count)
        if listener:
            listener.close()
        api.call("DELETE", target)
        yield Figure(case, f"{name} target, p50", median, "ms")
        yield Figure(case, f"added by a {name} target", median - alone, "ms", COST, None, SAVE_MARK)


def _median(api: Api, project: int, count: int) -> float:
    """Milliseconds of a PATCH of the project's one annotation."""
    (task,) = api.task_ids(project)
    (annotation,) = api.call("GET", f"/api/tasks/{task}/")["annotations"]
    api.server.settle()
    seconds = []
    for number in range(count + WARM):
        body = {"result": labelled("cat" if number % 2 else "dog")}
        started = time.monotonic()
        api.call("PATCH", f"/api/annotations/{annotation['id']}/", body)
        seconds.append(time.monotonic() - started)
    return Load.p50(seconds[WARM:])


def annotated(api: Api, title: str, count: int) -> int:
    """A new project of ``count`` tasks with an annotation each: its id."""
    project = api.project(title)
    for start in range(0, count, PORTION):
        numbers = range(start, min(start + PORTION, count))
        tasks = [{"data": {"image": f"s3://bench/{n}.jpg"}, "annotations": [{"result": labelled("cat")}]} for n in numbers]
        api.call("POST", f"/api/projects/{project}/import", tasks)
    return project


def labelled(kind: str) -> list[dict[str, Any]]:
    """The result of an annotation that chose ``kind``."""
    return [{"from_name": "kind", "to_name": "image", "type": "choices", "value": {"choices": [kind]}}]
