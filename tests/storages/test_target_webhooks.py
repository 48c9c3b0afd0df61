"""What the receiver of a webhook is told about each kind of run that a target has."""

import pytest

from tests.storages.test_webhooks import QUERY, SECRET
from tests.storages.test_webhooks import receiver as receiver  # noqa: F401 - the fixture
from tests.storages.test_webhooks import server as server  # noqa: F401 - the fixture

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("start", "kind", "counters"),
    [
        ("sync", "sync", {"created": 1, "failed": 1, "total": 2}),
        ("snapshot", "snapshot", {"created": 2, "listed": 2, "total": 2}),
        ("retry", "retry", {"created": 1, "failed": 0, "total": 1}),
    ],
)
def test_a_target_tells_what_kind_of_run_has_ended_and_where_a_snapshot_lies(
    start, kind, counters, receiver, server, project, api, create, work, tick, s3, s3_settings, settings
) -> None:
    settings.SYNC_ON_TARGET_STORAGE_CREATION = False
    hook = {"webhook_url": f"{server.url}/hook?{QUERY}", "webhook_secret": SECRET}
    path = f"/api/storages/export/s3/{create('export/s3', s3_settings, **hook)['id']}"
    body = [{"data": {"image": name}, "annotations": [{"result": []}]} for name in "ab"]
    s3.fail_next(99, status=403, code="AccessDenied", match="/data/[0-9]*[13579]$")  # one of two neighbours
    assert api.post(f"/api/projects/{project.pk}/import", body).status_code == 201
    work()
    if start == "retry":
        s3.heal()
    assert api.post(f"{path}/{start}").status_code in (200, 201)
    work()
    tick()
    run = api.get(f"{path}/runs").json()["results"][0]
    (told,) = receiver.taken.values()
    assert list(receiver.taken) == [f"export-{run['id']}"] and told["run"]["state"] == run["state"]
    assert (told["run"]["kind"], run["kind"]) == (kind, kind) and told["run"]["snapshot"] == run["snapshot"]
    assert bool(run["snapshot"]) == (kind == "snapshot")
    assert told["run"]["counters"].items() >= counters.items()
    if kind == "snapshot":
        assert s3.get("data", told["run"]["snapshot"]["folder"] + "manifest.json")
