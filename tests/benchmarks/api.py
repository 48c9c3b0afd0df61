"""Quayside's API as a client of it sees it: projects, tasks, storages, syncs; over HTTP with a token."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import urllib3

from tests.benchmarks.measure import Usage
from tests.benchmarks.server import TOKEN, Server

CONFIG = '<View><Image name="image" value="$image"/><Choices name="kind" toName="image"><Choice value="cat"/></Choices></View>'
HEADERS = {"Authorization": f"Token {TOKEN}"}
ENDED = ("completed", "completed_with_errors", "failed")
POLL = 0.5  # seconds; rare, since each look costs the server CPU time. The end is taken from the answer, not from the look


class Unexpected(Exception):
    """An answer that makes a measurement worthless."""


@dataclass(frozen=True)
class Synced:
    """A sync that ended as it should: ``seconds`` from the POST to its end, ``post`` the answer of the POST alone."""

    seconds: float
    post: float
    count: int
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

    def target(self, project: int, bucket: str) -> str:
        """A target on a bucket of the stub: its path."""
        return self._storage("/api/storages/export/s3", project, bucket, {})

    def _storage(self, base: str, project: int, bucket: str, settings: dict[str, Any]) -> str:
        keys = {"aws_access_key_id": "benchmark", "aws_secret_access_key": "benchmark"}
        body = {"project": project, "title": bucket, "bucket": bucket, "s3_endpoint": self.server.stub, **keys, **settings}
        return f"{base}/{self.call('POST', base, body)['id']}"

    def sync(self, storage: str, expected: int, timeout: float) -> Synced:
        """Syncs and waits. Raises Unexpected unless exactly ``expected`` tasks or objects came of it, TimeoutError."""
        with self.server.meter() as meter:
            queued, started = time.time(), time.monotonic()
            self.call("POST", f"{storage}/sync")
            post = time.monotonic() - started
            state = self._ended(storage, started + timeout)
        if state["status"] != "completed" or state["last_sync_count"] != expected:
            reason = f"{state['status']}, {state['last_sync_count']} instead of {expected}: {state['traceback']}"
            raise Unexpected(f"{storage} in bucket {state['bucket']} ended {reason}")
        ended = datetime.fromisoformat(state["meta"]["time_completed"]).timestamp()
        return Synced(ended - queued, post, expected, meter.usage)

    def _ended(self, storage: str, until: float) -> dict[str, Any]:
        while True:
            state = self.call("GET", storage)
            if state["status"] in ENDED:
                return state
            if time.monotonic() > until:
                raise TimeoutError(f"{storage} is still {state['status']}")
            time.sleep(POLL)

    def task_ids(self, project: int) -> list[int]:
        """The ids of the first page of tasks."""
        page = self.call("GET", f"/api/tasks/?project={project}&page_size=100&resolve_uri=false&include=id")
        return [task["id"] for task in page["tasks"]]
