"""A worker that is killed in the middle of a sync: noticed within a minute, and the next sync ends with one task per object."""

import time
from collections import Counter

import urllib3

from tests.e2e.server import until


def call(server, method, path, body=None):
    answer = urllib3.request(method, server.url + path, json=body, headers={"Authorization": f"Token {server.token}"}, timeout=30)
    assert answer.status < 300, answer.data
    return answer.json()


def test_sigkill_of_the_worker_loses_and_doubles_nothing(server, s3):
    wanted = {f"k/{number:04}.png" for number in range(2500)}
    for key in wanted:
        s3.put("data", key, b"x")
    project = call(server, "POST", "/api/projects/", {"title": "Killed"})["id"]
    keys = {"aws_access_key_id": s3.access_key, "aws_secret_access_key": s3.secret_key, "s3_endpoint": s3.url, "bucket": "data"}
    storage = call(
        server, "POST", "/api/storages/s3/", keys | {"project": project, "use_blob_urls": True, "recursive_scan": True}
    )
    path = f"/api/storages/s3/{storage['id']}"
    s3.delay(3, match="/data")  # the check before the sync, and each of the three pages
    call(server, "POST", f"{path}/sync")
    until(lambda: call(server, "GET", path)["meta"].get("listed"), 40, "a part is committed")
    for worker in server.processes("rqworker"):
        worker.kill()
    killed = time.monotonic()
    dead = until(lambda: (now := call(server, "GET", path))["status"] == "failed" and now, 60, "the run is seen as dead")
    assert time.monotonic() - killed < 60 and "worker" in dead["traceback"] and 0 < dead["meta"]["listed"] < 2500
    s3.heal()
    call(server, "POST", f"{path}/sync")
    ended = until(lambda: (now := call(server, "GET", path))["status"] == "completed" and now, 60, "the second sync completes")
    assert ended["last_sync_count"] + ended["meta"]["tasks_existed"] == 2500
    page = call(server, "GET", f"/api/tasks/?project={project}&page_size=5000&fields=all")
    assert Counter(task["storage_filename"] for task in page["tasks"]) == Counter(wanted)
    assert page["total"] == call(server, "GET", f"/api/projects/{project}/")["task_number"] == 2500
