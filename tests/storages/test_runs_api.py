"""The runs of a storage over the API: what they tell, paging, following one cheaply, cancelling, and who may see them."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from storages import status
from storages.base import ExportStorage, ImportStorage
from storages.runs import ExportRun, ImportIssue, ImportRun, State
from tests.conftest import client_of
from tests.storages.test_api import envelope
from users import legacy_tokens

pytestmark = pytest.mark.django_db(transaction=True)
KEYS = {
    "id", "storage", "type", "kind", "trigger", "started_by", "state", "queued_at", "started_at", "updated_at", "finished_at", "resumes",
    "snapshot",
    "attempt", "counters", "bytes", "requests", "total", "rate", "eta_seconds", "duration", "error", "issues_url", "poll_after_ms",
}  # fmt: skip
PARENTS = {"s3": ImportStorage, "export/s3": ExportStorage}


def runs(api, route, pk):
    return api.get(f"/api/storages/{route}/{pk}/runs").json()["results"]


@pytest.fixture(params=["s3", "export/s3"])
def place(request, create, s3_settings):
    """A storage of either direction without any run: (route, id, path)."""
    storage = create(request.param, s3_settings)
    model = status.runs_of(PARENTS[request.param]())
    model.objects.filter(storage_id=storage["id"]).delete()
    return request.param, storage["id"], f"/api/storages/{request.param}/{storage['id']}"


def begin(place, user=None, **columns):
    route, pk, _ = place
    run = status.begin(PARENTS[route].objects.get(pk=pk), user=user, trigger="api")
    type(run).objects.filter(pk=run.pk).update(**columns)
    return run


def test_a_run_tells_what_a_sync_of_a_source_did(api, alice, s3, s3_settings, create, sync):
    for key in ("a.txt", "b.txt", "c.png"):
        s3.put("data", key, b"12345")
    source = create("s3", s3_settings, use_blob_urls=True, regex_filter=r".*\.txt")
    assert source["last_run"] is None
    sync("s3", source["id"])
    s3.delete("data", "a.txt")
    last = sync("s3", source["id"])
    second, first = runs(api, "s3", source["id"])
    assert set(first) == KEYS and last["last_run"] == second["id"]
    nothing = dict.fromkeys(("changed", "vanished", "renamed", "failed"), 0)
    assert first["counters"] == nothing | {"listed": 2, "new": 2, "existing": 0, "skipped": 1}
    assert second["counters"] == nothing | {"listed": 1, "new": 0, "existing": 1, "skipped": 1, "vanished": 1}
    assert (first["storage"], first["type"], first["kind"], first["state"]) == (source["id"], "s3", "sync", "completed")
    assert first["started_by"] == {"id": alice.pk, "email": alice.email} and first["trigger"] == "api"
    assert first["requests"] > 0 and first["bytes"] > 0 and first["rate"] > 0 and first["duration"] > 0
    assert [first[name] for name in ("error", "resumes", "total", "eta_seconds", "poll_after_ms")] == [None] * 5
    assert first["queued_at"] <= first["started_at"] <= first["finished_at"] and first["finished_at"].endswith("Z")
    assert (first["attempt"], second["attempt"]) == (1, 2)
    assert api.get(first["issues_url"]).json() == {"count": 0, "next": None, "previous": None, "results": []}
    assert api.get(f"/api/storages/s3/{source['id']}/runs/{first['id']}").json() == first


def test_a_run_of_a_target_has_a_total_and_nothing_that_vanishes(api, s3, s3_settings, create, work, project):
    task = api.post("/api/tasks/", {"project": project.pk, "data": {"image": "x"}}).json()["id"]
    api.post(f"/api/tasks/{task}/annotations/", {"result": []})
    target = create("export/s3", s3_settings)
    work()
    (run,) = runs(api, "export/s3", target["id"])
    assert set(run) == KEYS and (run["state"], run["total"], run["trigger"], run["kind"]) == ("completed", 1, "create", "sync")
    assert run["counters"] == dict.fromkeys(("changed", "vanished", "renamed"), None) | {
        "listed": 1, "new": 1, "existing": 0, "skipped": 0, "failed": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("row", "rate", "eta"),
    [
        ({"state": "in_progress", "listed": 50, "total": 200}, 5.0, 30.0),
        ({"state": "in_progress", "listed": 50, "total": None}, 5.0, None),
        ({"state": "in_progress", "listed": 210, "total": 200}, 21.0, 0.0),
        ({"state": "in_progress", "listed": 0, "total": 200}, None, None),
        ({"state": "completed", "listed": 200, "total": 200}, 20.0, None),
        ({"state": "queued", "listed": 0, "total": 200, "started_at": None}, None, None),
    ],
)
def test_rate_and_eta_are_told_when_they_are_known(api, place, row, rate, eta):
    run = begin(place)
    start = run.queued_at
    times = {"started_at": start, "heartbeat": start + timedelta(seconds=10)}
    type(run).objects.filter(pk=run.pk).update(**times | row)
    told = api.get(f"{place[2]}/runs/{run.pk}").json()
    assert (told["rate"], told["eta_seconds"], told["duration"]) == (rate, eta, 10.0 if row.get("started_at", 1) else None)
    assert told["poll_after_ms"] == (None if row["state"] == "completed" else 1000)


@pytest.mark.parametrize(
    ("query", "ids", "following"),
    [
        ({}, 30, True),
        ({"page_size": 2}, 2, True),
        ({"page_size": 1000}, 100, True),
        ({"page_size": 100, "page": 2}, 5, False),
    ],
)
def test_runs_are_paged_with_the_newest_first(api, place, query, ids, following):
    run = begin(place, state=State.COMPLETED)
    type(run).objects.bulk_create(type(run)(storage_id=place[1], state=State.FAILED, attempt=n) for n in range(2, 106))
    with CaptureQueriesContext(connection) as asked:
        answer = api.get(f"{place[2]}/runs", query).json()
    assert len(asked) == 4, "membership, storage, count and page"
    assert not [one for one in asked if "secret" in one["sql"]]
    attempts = [run["attempt"] for run in answer["results"]]
    last = 105 - (query.get("page", 1) - 1) * 100
    assert answer["count"] == 105 and attempts == list(range(last, last - ids, -1))
    assert bool(answer["next"]) is following
    if following:
        assert api.get(answer["next"]).json()["results"][0]["attempt"] == attempts[-1] - 1


@pytest.mark.parametrize(
    ("query", "code"), [({"page": 0}, 404), ({"page": 2}, 404), ({"page": "x"}, 404), ({"page": "9" * 18}, 404), ({"page_size": "x"}, 400)]
)  # fmt: skip
def test_a_page_that_is_none_is_refused(api, place, query, code):
    run = begin(place)
    for path in ("/runs", f"/runs/{run.pk}/issues"):
        envelope(api.get(f"{place[2]}{path}", query), code)


def test_issues_are_paged_in_their_order_and_filtered_by_code(api, s3, s3_settings, create, sync):
    for number in range(3):
        s3.put("data", f"{number}.json", b"{")
    s3.put("data", "3.json", b'[{"image": "x"}, 7]')
    source = create("s3", s3_settings)
    assert sync("s3", source["id"])["status"] == "completed_with_errors"
    (run,) = runs(api, "s3", source["id"])
    assert (run["state"], run["counters"]["failed"], run["error"]) == ("completed_with_errors", 4, None)
    ImportIssue.objects.filter(key="1.json").update(code="unreadable")
    first = api.get(run["issues_url"], {"page_size": 3}).json()
    assert (
        first["count"] == 4
        and [set(one) for one in first["results"]] == [{"id", "key", "row", "code", "message", "created_at"}] * 3
    )
    rest = api.get(first["next"]).json()
    found = [*first["results"], *rest["results"]]
    assert sorted(one["key"] for one in found) == [f"{n}.json" for n in range(4)]
    assert [one["id"] for one in found] == sorted(one["id"] for one in found)
    assert {one["key"]: one["row"] for one in found}["3.json"] == 1
    assert [one["key"] for one in api.get(run["issues_url"], {"code": "unreadable"}).json()["results"]] == ["1.json"]
    assert api.get(run["issues_url"], {"code": "no_such"}).json()["count"] == 0
    envelope(api.get(run["issues_url"], {"code": "\0"}), 400)


def test_following_a_run_costs_one_small_query_and_nothing_is_sent_twice(alice, place):
    run = begin(place, state=State.IN_PROGRESS)
    client = APIClient(HTTP_AUTHORIZATION=f"Token {legacy_tokens.set_key(alice)}")
    path = f"{place[2]}/runs/{run.pk}"
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(path)
    assert len(asked) == 2, "the token and the run"
    assert "secret" not in asked[1]["sql"] and answer["Cache-Control"] == "private, no-cache"
    for tag in (answer["ETag"], f"W/{answer['ETag']}", f'"other", {answer["ETag"]}'):
        same = client.get(path, headers={"If-None-Match": tag})
        assert (same.status_code, same.content, same["ETag"]) == (304, b"", answer["ETag"])
    status.advance(run, listed=3)
    news = client.get(path, headers={"If-None-Match": answer["ETag"]})
    assert (news.status_code, news.json()["counters"]["listed"]) == (200, 3) and news["ETag"] != answer["ETag"]


@pytest.mark.parametrize("level", ["storage", "run"])
@pytest.mark.parametrize("state", [State.QUEUED, State.IN_PROGRESS])
def test_cancel_ends_what_is_queued_or_running_and_says_so(api, alice, place, level, state):
    envelope(api.post(f"{place[2]}/cancel"), 409)
    run = begin(place, state=state)
    path = f"{place[2]}/cancel" if level == "storage" else f"{place[2]}/runs/{run.pk}/cancel"
    told = api.post(path)
    assert (told.status_code, told.json()["id"], told.json()["state"]) == (200, run.pk, "cancelled")
    assert told.json()["error"]["code"] == "cancelled" and alice.email in told.json()["error"]["message"]
    assert told.json()["finished_at"] and told.json()["poll_after_ms"] is None
    assert api.get(place[2]).json()["status"] == "failed", "Label Studio has no word for it"
    assert "ended" in envelope(api.post(f"{place[2]}/runs/{run.pk}/cancel"), 409)["detail"]
    assert "no sync" in envelope(api.post(f"{place[2]}/cancel"), 409)["detail"]
    assert api.post(f"{place[2]}/sync").json()["status"] == "queued"


def test_a_cancelled_sync_that_was_queued_imports_nothing(api, s3, s3_settings, create, work):
    s3.put("data", "a.txt", b"x")
    source = create("s3", s3_settings, use_blob_urls=True)
    api.post(f"/api/storages/s3/{source['id']}/sync")
    assert api.post(f"/api/storages/s3/{source['id']}/cancel").status_code == 200
    work()
    (run,) = runs(api, "s3", source["id"])
    assert (run["state"], run["counters"]["new"], run["started_at"]) == ("cancelled", 0, None)


def test_runs_of_others_do_not_exist(api, stranger, alice, place, create, s3_settings):
    run, (route, pk, path) = begin(place, state=State.IN_PROGRESS), place
    other = create(route, s3_settings)["id"]
    crossed = {"s3": "export/s3", "export/s3": "s3"}[route]
    model = {"s3": ExportRun, "export/s3": ImportRun}[route]
    cross = create(crossed, s3_settings)["id"]
    model.objects.filter(storage_id=cross).delete()
    model.objects.create(id=run.pk + 5000, storage_id=cross)
    wrong = [f"{path}/runs/{n}" for n in (0, run.pk + 5000, 2**63, 2**80)]
    wrong += [
        f"/api/storages/{base}/runs/{run.pk}"
        for base in (f"{route}/{other}", f"{crossed}/{cross}", f"{route}/{2**63}", f"gcs/{pk}")
    ]
    for client, places in ((api, wrong), (stranger, [*wrong, f"{path}/runs/{run.pk}"])):
        for one in places:
            for tail in ("", "/issues"):
                envelope(client.get(one + tail), 404)
            envelope(client.post(f"{one}/cancel"), 404)
            envelope(client.post(f"{one}/retry"), 404)
    for tail in ("/runs", "/cancel", "/retry") + (("/flagged",) if route == "s3" else ()):
        verb = "post" if tail in ("/cancel", "/retry") else "get"
        envelope(getattr(stranger, verb)(path + tail), 404)
        envelope(getattr(client_of(None), verb)(path + tail), 401)
        for wrong_base in (f"/api/storages/{route}/{2**80}", f"/api/storages/nosuch/{pk}", f"/api/storages/export/export/{pk}"):
            envelope(getattr(api, verb)(wrong_base + tail), 404)
    run.refresh_from_db()
    assert run.state == State.IN_PROGRESS
