"""Workers that are killed in the middle of a sync: others take it up by themselves and end it with one task per object."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.e2e.server import RunningServer, running, until
from tests.fakes.s3 import S3Fake


@pytest.fixture(params=["sqlite", "postgres"])
def impatient(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningServer]:
    """A service that gives a dead worker's piece to another after two seconds instead of thirty."""
    tmp_path.chmod(0o755)
    tmp_path.parent.chmod(0o755)  # PostgreSQL runs as a user of its own
    with running(tmp_path, request.param, SYNC_LEASE_SECONDS="2", TICK_SECONDS="1") as service:
        yield service


def call(server: RunningServer, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    answer = urllib3.request(method, server.url + path, json=body, headers={"Authorization": f"Token {server.token}"}, timeout=30)
    assert answer.status < 300, answer.data
    return answer.json()


def test_sigkill_of_all_workers_loses_and_doubles_nothing(impatient: RunningServer, s3: S3Fake) -> None:
    server, wanted = impatient, {f"k/{number:04}.png" for number in range(2500)}
    for key in wanted:
        s3.put("data", key, b"x")
    project = call(server, "POST", "/api/projects/", {"title": "Killed"})["id"]
    keys = {"aws_access_key_id": s3.access_key, "aws_secret_access_key": s3.secret_key, "s3_endpoint": s3.url, "bucket": "data"}
    storage = call(
        server, "POST", "/api/storages/s3/", keys | {"project": project, "use_blob_urls": True, "recursive_scan": True}
    )
    path = f"/api/storages/s3/{storage['id']}"
    s3.delay(3, match="/data")  # the check before the sync, and each of the three pages
    job = call(server, "POST", f"{path}/sync")["last_sync_job"]
    until(lambda: call(server, "GET", path)["meta"].get("listed"), 40, "a part is committed")
    for worker in server.processes("rqworker"):
        worker.kill()
    killed, before = time.monotonic(), call(server, "GET", path)
    assert before["status"] == "in_progress" and 0 < before["meta"]["listed"] < 2500
    s3.heal()
    ended = until(lambda: (now := call(server, "GET", path))["status"] != "in_progress" and now, 60, "another worker ends it")
    assert time.monotonic() - killed < 60 and (ended["status"], ended["last_sync_job"]) == ("completed", job)
    assert (ended["last_sync_count"], ended["meta"]["listed"], ended["meta"]["tasks_existed"]) == (2500, 2500, 0)
    page = call(server, "GET", f"/api/tasks/?project={project}&page_size=5000&fields=all")
    assert Counter(task["storage_filename"] for task in page["tasks"]) == Counter(wanted)
    assert page["total"] == call(server, "GET", f"/api/projects/{project}/")["task_number"] == 2500
