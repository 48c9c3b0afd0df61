"""A snapshot that is ended while its manifest is written: it is whole and says so, or an issue says that it may be."""

import pytest

from storages import status
from storages.runs import ExportIssue, ExportRun
from tests.storages.snapshots.conftest import manifest_of

pytestmark = pytest.mark.django_db(transaction=True)


def ends(api, place, how):
    """How a run is ended by somebody else than its worker."""
    if how == "cancel":
        assert api.post(f"{place.path}/cancel").status_code == 200
    else:
        ExportRun.objects.update(heartbeat="2020-01-01T00:00Z")
        assert status.reap(ExportRun.objects) == 1


@pytest.mark.parametrize("how", ["cancel", "reap"])
@pytest.mark.parametrize("allowed", [True, False])
def test_an_end_that_comes_while_the_manifest_is_written_comes_too_late(
    how, allowed, api, target, snapshot, label, small, when_asked, s3
):
    label(3)
    place = target(can_delete_objects=allowed)
    when_asked("PUT", "manifest", lambda: ends(api, place, how))
    run = snapshot(place)
    row = ExportRun.objects.get(pk=run["id"])
    assert (run["state"], row.error, row.error_code, row.cursor) == ("completed", "", "", "manifest")
    assert row.webhook_due and not ExportIssue.objects.exists() and manifest_of(place, run)["counts"]["tasks"] == 3
    api.patch(place.path, {"can_delete_objects": True})
    assert snapshot(place)["state"] == "completed"
    assert len(s3.keys("data", run["snapshot"]["folder"])) == 3, "the next snapshot leaves it alone"


def test_an_end_that_comes_when_the_manifest_is_written_comes_too_late(api, target, snapshot, label, small, monkeypatch):
    label(3)
    place = target()
    monkeypatch.setattr(status, "count", lambda *run, **counters: ends(api, place, "cancel"))
    run = snapshot(place)
    assert (run["state"], ExportRun.objects.get().error_code, manifest_of(place, run)["counts"]["tasks"]) == ("completed", "", 3)


def test_an_end_before_the_manifest_is_begun_is_in_time(api, target, snapshot, label, small, when_asked):
    label(3)
    place = target()
    when_asked("PUT", "part-00001", lambda: ends(api, place, "cancel"))
    run = snapshot(place)
    (issue,) = ExportIssue.objects.all()
    assert (run["state"], ExportRun.objects.get().cursor) == ("cancelled", "2") and "has no manifest" in issue.message
    assert not [key for key in place.objects() if key.endswith("manifest.json")]


@pytest.mark.parametrize("allowed", [True, False])
def test_a_manifest_that_was_written_though_the_target_says_no_is_not_taken_away_in_silence(
    allowed, target, snapshot, label, s3, api
):
    label(3)
    place = target(can_delete_objects=allowed)
    s3.fail_next(1, status=403, code="AccessDenied", match="manifest")  # the write
    if allowed:
        s3.fail_next(1, status=403, code="AccessDenied", match="manifest")  # the delete
    run = snapshot(place)
    (issue,) = ExportIssue.objects.all()
    assert (run["state"], ExportRun.objects.get().cursor) == ("failed", "manifest")
    assert (issue.key, issue.code) == (run["snapshot"]["folder"], "leftover") and "may be there" in issue.message
    s3.put("data", f"{run['snapshot']['folder']}manifest.json", b"{}")  # it had arrived
    api.patch(place.path, {"can_delete_objects": True})
    assert snapshot(place)["state"] == "completed"
    assert len(s3.keys("data", run["snapshot"]["folder"])) == 2


def test_what_could_not_be_read_back_is_left_out_and_named(target, snapshot, label, settings, monkeypatch, project, s3):
    settings.SYNC_MAX_ROW_MB = 1
    monkeypatch.setattr("storages.snapshots.capacity.ROW", 1024**2)
    from tasks.models import Annotation

    tasks, deep = label(4), []
    for _ in range(520):
        deep = [deep]
    Annotation.objects.filter(task_id=tasks[1]).update(result=deep)
    Annotation.objects.filter(task_id=tasks[2]).update(result=[{"text": "ß" * 600_000}])
    Annotation.objects.filter(task_id=tasks[3]).update(result=[["[" * 600]])
    place = target()
    for form in ("jsonl", "parquet"):
        ExportIssue.objects.all().delete()
        run = snapshot(place, format=form)
        assert (run["state"], run["counters"]["new"], run["counters"]["failed"]) == ("completed_with_errors", 2, 2)
        found = dict(ExportIssue.objects.values_list("key", "code"))
        assert found == {f"task {tasks[1]}": "too_deep", f"task {tasks[2]}": "too_large"}
        counts = manifest_of(place, run)["counts"]
        assert (counts["tasks"], counts["left_out"]) == (2, 2)
