"""Quayside's API as a client of it sees it: projects, tasks, storages, syncs; over HTTP with a token."""

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import urllib3

from tests.benchmarks.measure import Usage
from tests.benchmarks.server import TOKEN, Server

CONFIG = '<View><Image name="image" value="$image"/><Choices name="kind" toName="image"><Choice value="cat"/></Choices></View>'
HEADERS = {"Authorization": f"Token {TOKEN}"}
# Looks are rare, since each costs the server CPU time; the end is taken from the answer, not from the look.
POLL, SHARE = 0.5, 0.03  # seconds at least, and this share of the time since the start, between two looks


class Unexpected(Exception):
    """An answer that makes a measurement worthless."""


@dataclass(frozen=True)
class Synced:
    """A sync that ended as it should: ``seconds`` from the POST to its end, ``post`` the answer of the POST alone.

    ``counters``: those of its run, by their names in the API.
    """

    seconds: float
    post: float
    counters: dict[str, int | None]
    usage: Usage


class Api:
    """Calls of one server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.pool = urllib3.PoolManager(timeout=urllib3.Timeout(120), retries=False, headers=HEADERS)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON answer. Raises Unexpected for any status but 2xx."""
        arguments = {"json": body} if body is not None else {}
        answer = self.pool.request(method, f"{self.server.url}{path}", headers=HEADERS, **arguments)
        if not 200 <= answer.status < 300:
            raise Unexpected(f"{method} {path} was answered with {answer.status}: {answer.data[:500]!r}")
        return answer.json() if answer.data else None

    def project(self, title: str, tasks: list[dict[str, Any]] | None = None) -> int:
        """A new project with these tasks: its id."""
        project = self.call("POST", "/api/projects/", {"title": title, "label_config": CONFIG})["id"]
        if tasks:
            self.call("POST", f"/api/projects/{project}/import", tasks)
        return project

    def source(self, project: int, bucket: str, **settings: Any) -> str:
        """A source on a bucket of the stub, one task per object unless told otherwise: its path."""
        settings = {"use_blob_urls": True, "recursive_scan": True, **settings}
        return self._storage("/api/storages/s3", project, bucket, settings)

    def target(self, project: int, bucket: str, **settings: Any) -> str:
        """A target on a bucket of the stub: its path."""
        return self._storage("/api/storages/export/s3", project, bucket, settings)

    def directory(self, project: int, name: str) -> str:
        """A target on a new directory below the document root: its path."""
        place = Path(self.server.env["LOCAL_FILES_DOCUMENT_ROOT"], name)
        place.mkdir()
        base, body = "/api/storages/export/localfiles", {"project": project, "title": name, "path": str(place)}
        return f"{base}/{self.call('POST', base, body)['id']}"

    def _storage(self, base: str, project: int, bucket: str, settings: dict[str, Any]) -> str:
        keys = {"aws_access_key_id": "benchmark", "aws_secret_access_key": "benchmark"}
        body = {"project": project, "title": bucket, "bucket": bucket, "s3_endpoint": self.server.stub, **keys, **settings}
        return f"{base}/{self.call('POST', base, body)['id']}"

    def sync(
        self, storage: str, expected: int, timeout: float, *, changed: int = 0, action: str = "sync", body: Any = None
    ) -> Synced:
        """Syncs and waits for the run's end; ``action``: what is POSTed to instead, with ``body``.

        Raises Unexpected unless exactly ``expected`` tasks or objects came of it and ``changed`` differed, TimeoutError.
        """
        with self.server.meter() as meter:
            queued, started = time.time(), time.monotonic()
            self.call("POST", f"{storage}/{action}", body)
            post = time.monotonic() - started
            run = self._ended(storage, started, timeout)
        counters = run["counters"]
        if run["state"] != "completed" or (counters["new"], counters["changed"] or 0) != (expected, changed):
            raise Unexpected(f"{storage}: expected {expected} new and {changed} changed, the run ended so: {run}")
        ended = datetime.fromisoformat(run["finished_at"]).timestamp()
        return Synced(ended - queued, post, counters, meter.usage)

    def _ended(self, storage: str, started: float, timeout: float) -> dict[str, Any]:
        """The newest run of the storage once it has ended."""
        while True:
            run = self.call("GET", f"{storage}/runs?page_size=1")["results"][0]
            if run["finished_at"]:
                return run
            passed = time.monotonic() - started
            if passed > timeout:
                raise TimeoutError(f"{storage} is still {run['state']} after {timeout:g} s: {run['counters']}")
            time.sleep(max(POLL, passed * SHARE))

    def prepare(self, bucket: str) -> None:
        """Has the stub make what a bucket holds, which takes seconds for a large file."""
        self.stub("GET", f"/{bucket}/?list-type=2&max-keys=1")

    def stub(self, method: str, path: str) -> None:
        """A request to the stub itself."""
        answer = self.pool.request(method, f"{self.server.stub}{path}")
        if answer.status != 200:
            raise Unexpected(f"the stub answered {method} {path} with {answer.status}")

    def task_ids(self, project: int) -> list[int]:
        """The ids of the first page of tasks."""
        page = self.call("GET", f"/api/tasks/?project={project}&page_size=100&resolve_uri=false&include=id")
        return [task["id"] for task in page["tasks"]]
