"""The dry run of a source: it finds what the next sync does, says why objects are left out, and writes nothing."""

import time
import tracemalloc

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from storages import plan
from storages.api.plan import WHY
from storages.base import ImportStorage
from storages.links import ImportLink, ObjectState
from storages.providers import http, localfiles
from storages.runs import ImportIssue, ImportRun
from storages.shards import Seen, Shard
from storages.sync import patterns
from tasks.models import Annotation, Task
from tests.backends.boxes import HARNESSES
from tests.fakes.s3 import S3Fake
from tests.storages.test_api import envelope

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = b'{"image": "a"}\n{"image": "b"}\n'


@pytest.fixture
def drawn(api):
    """The plan of a storage over the API: ``drawn(7)``, ``drawn(7, "redis")``."""

    def post(pk: int, route: str = "s3") -> dict:
        answer = api.post(f"/api/storages/{route}/{pk}/plan")
        assert answer.status_code == 200, answer.content
        return answer.json()

    return post


@pytest.fixture
def quick(monkeypatch):
    """Slow names are given up at once."""
    monkeypatch.setattr(patterns, "MATCH_TIMEOUT", 0.01)


def newest() -> ImportRun:
    return ImportRun.objects.order_by("-id").first()


def counts(answer: dict) -> dict:
    return {reason: kind["count"] for reason, kind in answer["ignored"]["reasons"].items()}


def sample(answer: dict, reason: str) -> list[str]:
    return answer["ignored"]["reasons"][reason]["sample"]


def agree(found: dict, run: ImportRun, *, files: bool) -> None:
    """The plan's numbers are the counters of the run that followed."""
    assert (found["complete"], run.state in ("completed", "completed_with_errors")) == (True, True)
    assert (found["listed"], found["changed"]) == (run.listed, run.changed)
    assert (found["vanished"]["count"], counts(found).get("regex", 0)) == (run.vanished, run.ignored)
    requests = found["requests"]["listing"] + found["requests"]["reads"]
    assert requests == run.requests or (requests < run.requests and run.storage.type == "redis"), "a value takes three requests"
    if files:
        assert (found["new"]["count"], found["existing"] + found["changed"]) == (run.created, run.existed)
    else:
        read = ObjectState.objects.filter(storage_id=run.storage_id, run_id=run.pk).count()
        unreadable = sum(counts(found).get(reason, 0) for reason in ("extension", "size"))
        assert found["requests"]["reads"] == found["new"]["count"] + found["unfinished"] + found["changed"] == read - unreadable
        assert found["existing"] == run.listed - read


@pytest.mark.parametrize(
    ("name", "files"),
    [(name, files) for name in ("s3", "localfiles", "azure", "gcs", "redis", "databricks") for files in (True, False)][:8]
    + [("redis", False), ("databricks", False)],
)
def test_a_plan_tells_what_the_next_sync_does(documents, name, files, create, sync, drawn, project):
    box = HARNESSES[name](documents)
    box.small_pages()
    try:
        for number in range(9):
            box.put(f"in/{number}.jsonl", ROWS)
        for other in ("in/deep/9.jsonl", "in/left.out", "in/left.txt", "in/wrong.json.xml", "beside/a.jsonl"):
            box.put(other, ROWS)
        settings = box.settings("in/") | {"regex_filter": r".*(jsonl|xml)$"}
        settings |= {} if name == "redis" else {"recursive_scan": True}
        settings |= {"sync_workers": 1}  # to look where to cut a listing for more of them takes requests of its own
        storage = create(name, settings | {"project": project.pk, "title": "Box", "use_blob_urls": files})["id"]
        agreed = []
        for _ in range(3):
            found = drawn(storage, name)
            sync(name, storage)
            agree(found, newest(), files=files)
            agreed.append(found)
            if len(agreed) == 1:
                box.put("in/0.jsonl", ROWS + b'{"image": "c"}\n')
                box.put("in/new.jsonl", ROWS)
                box.put("in/bad.jsonl", b"{")
        assert [one["new"]["count"] for one in agreed] == [11 if files else 10, 2, 0]
        assert [one["unfinished"] for one in agreed] == [0, 0, 0 if files else 1]
        assert [one["changed"] for one in agreed][1] == (name != "redis"), "redis does not tell versions"
        assert [counts(one).get("extension") for one in agreed] == [None if files else 1] * 3
    finally:
        box.close()


def test_vanished_objects_are_told_with_what_the_policy_would_do(s3, s3_settings, create, sync, drawn, api):
    for number in range(10):
        s3.put("data", f"{number}.jsonl", ROWS)
    pk = create("s3", s3_settings, vanished_cap=20)["id"]
    sync("s3", pk)
    for key in ("3.jsonl", "7.jsonl"):
        s3.delete("data", key)
    for policy, cap, would in (
        ("keep", 20, "kept"), ("flag", 20, "flagged"), ("delete", 20, "deleted"), ("delete", 19, "blocked by the cap"),
    ):  # fmt: skip
        api.patch(f"/api/storages/s3/{pk}", {"vanished_policy": policy, "vanished_cap": cap})
        found = {"count": 2, "sample": ["3.jsonl", "7.jsonl"], "tasks": 4, "policy": policy, "would": would}
        assert drawn(pk)["vanished"] == found
    assert sync("s3", pk)["status"] == "failed" and newest().error_code == "vanished_cap"
    api.patch(f"/api/storages/s3/{pk}", {"vanished_cap": 20})
    found = drawn(pk)
    assert sync("s3", pk)["status"] == "completed" and newest().vanished == found["vanished"]["count"]
    assert Task.objects.count() == 16
    for number in range(10):
        s3.delete("data", f"{number}.jsonl")
    api.patch(f"/api/storages/s3/{pk}", {"vanished_cap": 100})
    assert (drawn(pk)["vanished"]["would"], drawn(pk)["listed"]) == ("blocked by the cap", 0)
    assert sync("s3", pk)["status"] == "failed" and Task.objects.count() == 16


def test_annotated_tasks_of_vanished_objects_do_not_count_against_the_cap(s3, s3_settings, create, sync, drawn, api):
    for number in range(10):
        s3.put("data", f"{number}.json", b'{"image": "a"}')
    pk = create("s3", s3_settings, vanished_policy="delete", vanished_cap=10)["id"]
    sync("s3", pk)
    tasks = Task.objects.filter(project_id=s3_settings["project"]).order_by("pk")
    for key in ("3.json", "7.json"):
        s3.delete("data", key)
    assert drawn(pk)["vanished"]["would"] == "blocked by the cap"
    gone = ImportLink.objects.get(storage_id=pk, key="3.json").task_id
    api.post(f"/api/tasks/{gone}/annotations/", {"result": []})
    assert (drawn(pk)["vanished"]["tasks"], drawn(pk)["vanished"]["would"]) == (2, "deleted")
    other = ImportLink.objects.get(storage_id=pk, key="7.json").task_id
    api.post(f"/api/tasks/{other}/annotations/", {"result": []})
    api.patch(f"/api/storages/s3/{pk}", {"vanished_cap": 1})
    assert drawn(pk)["vanished"]["would"] == "flagged", "none of them may be deleted"
    assert sync("s3", pk)["status"] == "completed" and tasks.count() == 10
    assert ImportLink.objects.filter(storage_id=pk, flag="vanished").count() == 2


def test_an_object_outside_of_changed_settings_has_not_vanished(s3, s3_settings, create, sync, drawn, api):
    for key in ("a/1.png", "a/b/2.png", "a/3.jpg", "c/4.png"):
        s3.put("data", key, b"x")
    pk = create("s3", s3_settings, use_blob_urls=True, recursive_scan=True)["id"]
    sync("s3", pk)
    api.patch(f"/api/storages/s3/{pk}", {"prefix": "a", "recursive_scan": False, "regex_filter": r".*\.png"})
    found = drawn(pk)
    assert (found["vanished"]["count"], found["existing"], counts(found)["regex"]) == (0, 1, 1)
    sync("s3", pk)
    agree(found, newest(), files=True)


def test_every_reason_to_leave_an_object_out_is_told_with_what_to_change(s3, s3_settings, create, drawn, settings):
    settings.SYNC_MAX_OBJECT_MB = 1
    for key in ("data/a.json", "data/b.txt", "data/c.png", "data/sub/d.json", "data/sub/", "date/e.json"):
        s3.put("data", key, b"{}")
    s3.put("data", "data/large.json", b" " * (1024**2 + 1))
    pk = create("s3", s3_settings, prefix="data", regex_filter=r".*\.(json|png)$")["id"]
    found = drawn(pk)
    assert (found["listed"], found["new"]) == (3, {"count": 1, "sample": ["data/a.json"]})
    assert sample(found, "regex") == ["data/b.txt"] and sample(found, "extension") == ["data/c.png"]
    assert sample(found, "sub_folder") == ["data/sub/"] and counts(found)["sub_folder"] is None
    assert sample(found, "prefix") == ["date/"] and counts(found)["prefix"] is None
    assert sample(found, "size") == ["data/large.json"] and found["ignored"]["count"] == 3
    for reason, kind in found["ignored"]["reasons"].items():
        assert kind["why"] == WHY[reason]


def test_folder_markers_are_told(s3, s3_settings, create, drawn):
    for key in ("in/", "in/sub/", "in/a.png"):
        s3.put("data", key, b"")
    pk = create("s3", s3_settings, prefix="in", use_blob_urls=True, recursive_scan=True)["id"]
    found = drawn(pk)
    assert (found["listed"], sorted(sample(found, "folder_marker"))) == (1, ["in/", "in/sub/"])


@pytest.mark.parametrize(
    ("prefix", "beside"), [("dat", "data/"), ("Data", "data/"), ("data/trian", "data/train/"), ("x/y/z", "data/")]
)
def test_a_misspelt_prefix_shows_first_what_it_may_have_meant(s3, s3_settings, create, drawn, prefix, beside):
    for key in ("data/train/a.png", "data/valid/b.png", "archive/c.png", "zebra/d.png"):
        s3.put("data", key, b"x")
    s3.put("data", "dat/a.png", b"x") if prefix == "dat" else s3.put("data", f"{prefix}/a.png", b"x")
    pk = create("s3", s3_settings, prefix=prefix, use_blob_urls=True)["id"]
    s3.delete("data", f"{prefix}/a.png")
    found = drawn(pk)
    assert found["listed"] == 0 and beside in sample(found, "prefix")[: 2 if prefix == "x/y/z" else 1]
    assert not any(name.startswith(f"{prefix}/") for name in sample(found, "prefix"))


def test_a_plan_writes_nothing(s3, s3_settings, create, sync, drawn, api):
    for number in range(5):
        s3.put("data", f"{number}.jsonl", ROWS)
    s3.put("data", "bad.json", b"{")
    pk = create("s3", s3_settings, vanished_policy="delete", changed_policy="flag", vanished_cap=100)["id"]
    sync("s3", pk)
    s3.delete("data", "1.jsonl")
    s3.put("data", "2.jsonl", b"{}")
    models = (ImportRun, ImportIssue, ImportLink, ObjectState, Shard, Seen, Task, Annotation)
    before = [list(model.objects.order_by("pk").values()) for model in (*models, ImportStorage)]
    with CaptureQueriesContext(connection) as asked:
        found = drawn(pk)
    assert (found["changed"], found["vanished"]["count"], found["unfinished"]) == (1, 1, 1)
    assert before == [list(model.objects.order_by("pk").values()) for model in (*models, ImportStorage)]
    assert [one["sql"] for one in asked if not one["sql"].lstrip("( ").upper().startswith("SELECT")] == []


def test_names_that_cannot_be_dealt_with_are_told_and_spoil_nothing(quick, create, sync, drawn, documents, project):
    box = HARNESSES["redis"](documents)
    try:
        box.put("ok.json", b'{"image": "x"}')
        box.admin.set(b"bad\xff.json", b"{}")
        box.put("a" * 60 + "!", b"{}")
        settings = box.settings() | {"project": project.pk, "title": "R", "regex_filter": r"(a|aa)+$|.*json"}
        pk = create("redis", settings)["id"]
        found = drawn(pk, "redis")
        assert (found["listed"], found["new"]["count"], counts(found)) == (3, 1, {"name": 1, "regex_timeout": 1})
        assert "udcff" in sample(found, "name")[0]
        sync("redis", pk)
        assert (newest().listed, newest().failed) == (3, 2)
    finally:
        box.close()


def test_a_filter_that_takes_too_long_on_everything_is_refused(quick, s3, s3_settings, create, api):
    pk = create("s3", s3_settings, use_blob_urls=True, regex_filter=r"(a|aa)+$")["id"]
    for number in range(25):
        s3.put("data", "a" * 60 + f"{number}!", b"x")
    body = envelope(api.post(f"/api/storages/s3/{pk}/plan"), 400)
    assert "regex_filter" in body["validation_errors"]


@pytest.mark.parametrize(
    ("trouble", "code"),
    [("refuse_all", "unreachable"), ("denied", "no_permission"), ("gone", "not_found"), ("throttled", "throttled")],
)
def test_a_store_that_cannot_be_listed_is_answered_as_by_a_preview(s3, s3_settings, create, api, trouble, code, monkeypatch):
    pk = create("s3", s3_settings)["id"]
    if trouble == "refuse_all":
        s3.refuse_all()
    elif trouble == "throttled":
        monkeypatch.setattr(plan.draw_up, "__defaults__", (1.0,))
        monkeypatch.setattr(http, "RETRIES", 0)
        s3.fail_next(999)
    elif trouble == "denied":
        s3.add_identity(s3.access_key, s3.secret_key, allow=[])
    else:
        ImportStorage.objects.get(pk=pk).concrete()._meta.model.objects.filter(pk=pk).update(bucket="no-such-bucket")
    began = time.monotonic()
    answer = api.post(f"/api/storages/s3/{pk}/plan")
    assert (answer.status_code, answer.json()["connection"]["code"]) == (400, code), answer.content
    assert time.monotonic() - began < 8 and s3.secret_key not in answer.content.decode()


def test_a_storage_too_large_for_the_time_is_planned_as_far_as_it_went(create, s3_settings, monkeypatch):
    with S3Fake(page_cap=10) as store:
        store.create_bucket("data")
        for number in range(100):
            store.put("data", f"{number:03}.png", b"x")
        pk = create("s3", s3_settings | {"s3_endpoint": store.url, **_keys(store)}, use_blob_urls=True, prefix="")["id"]
        storage = ImportStorage.objects.get(pk=pk).concrete()
        store.delay(0.2)
        began = time.monotonic()
        found = plan.draw_up(storage, 1.0)
        assert time.monotonic() - began < 1.3
        assert (found.complete, found.vanished) == (False, None) and 10 <= found.listed <= 50
        store.heal()
        store.delay(30, n=1)
        with pytest.raises(plan.TimedOut, match="did not answer"):
            plan.draw_up(storage, 0.3)
        store.refuse_all()


def _keys(store: S3Fake) -> dict:
    return {"aws_access_key_id": store.access_key, "aws_secret_access_key": store.secret_key}


def test_short_trouble_is_waited_for(s3, s3_settings, create, drawn):
    s3.put("data", "a.json", b"{}")
    pk = create("s3", s3_settings)["id"]
    s3.fail_next(4)
    assert (drawn(pk)["complete"], drawn(pk)["listed"]) == (True, 1)


def test_plans_of_others_do_not_exist(stranger, api, s3_settings, create):
    pk = create("s3", s3_settings)["id"]
    envelope(stranger.post(f"/api/storages/s3/{pk}/plan"), 404)
    envelope(api.post(f"/api/storages/gcs/{pk}/plan"), 404)
    envelope(api.get(f"/api/storages/s3/{pk}/plan"), 405)
    envelope(api.post(f"/api/storages/export/s3/{pk}/plan"), 404)


def test_a_plan_of_ten_times_as_many_files_takes_no_more_memory(documents, create, project, monkeypatch):
    monkeypatch.setattr(localfiles, "PAGE_SIZE", 50)
    folder = documents / "many"
    for part in range(10):
        (folder / f"{part:02}").mkdir(parents=True)
        for number in range(250):
            (folder / f"{part:02}" / f"{number:03}.png").touch()
    settings = {"project": project.pk, "title": "Many", "use_blob_urls": True, "recursive_scan": True}
    peaks = []
    for path, files in ((folder / "00", 250), (folder, 2500)):
        plan_of = ImportStorage.objects.get(pk=create("localfiles", settings, path=str(path))["id"]).concrete()
        plan.draw_up(plan_of, 300.0)  # what is made once does not count
        tracemalloc.start()
        found = plan.draw_up(plan_of, 300.0)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        peaks.append(peak)
        assert (found.listed, found.new.count, len(found.new.sample)) == (files, files, plan.SAMPLE)
    assert peaks[1] < peaks[0] + 2**19, "a few pages in flight, however many there are"
