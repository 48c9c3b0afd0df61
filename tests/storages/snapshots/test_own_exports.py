"""A source and a target that share a bucket: what the target wrote never becomes a task of its own."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from projects.models import Project
from storages.client import ObjectInfo
from storages.known import Known
from storages.runs import ImportRun
from storages.snapshots.places import is_hidden
from tasks.models import Task
from tests.conftest import client_of
from tests.storages.targets import annotate as annotate  # noqa: F401 - the fixture

pytestmark = pytest.mark.django_db(transaction=True)
FOLDER = "a/snapshots/7/20261122T182455Z-31-gold/"


@pytest.mark.parametrize(
    ("key", "root", "hidden"),
    [
        (f"{FOLDER}part-00000.jsonl", "", True),
        (f"{FOLDER}part-00000.parquet", "a/", True),
        (f"{FOLDER}part-00000.jsonl", "a/snapshots/7/", True),
        (f"{FOLDER}part-00000.jsonl", FOLDER, False),
        (f"{FOLDER}manifest.json", FOLDER, True),
        (f"{FOLDER}manifest.json", "", True),
        (f"{FOLDER}mine.jsonl", "", False),
        ("snapshots/7/20261122T182455Z-31/part-123456.jsonl", "", True),
        ("snapshots/7/monday/part-00000.jsonl", "", False),
        ("snapshots/manifest.json", "", False),
    ],
)
def test_shards_and_manifests_are_known_by_their_names(key, root, hidden):
    assert is_hidden(key, root) is hidden


@pytest.fixture
def first_task(project):
    return Task.objects.create(project=project, inner_id=1, data={"image": "s3://data/a.png"})


@pytest.mark.parametrize("files", [True, False])
@pytest.mark.parametrize("form", ["annotation", "task"])
def test_a_sync_leaves_out_what_targets_wrote_into_its_bucket(
    files, form, create, sync, snapshot, target, s3, s3_settings, first_task, annotate, settings, api
):
    settings.FUTURE_SAVE_TASK_TO_STORAGE = form == "task"
    place = target()
    annotate(first_task)
    snapshot(place)
    s3.put("data", "mine.json", json.dumps({"image": "x"}).encode())
    source = create("s3", s3_settings, use_blob_urls=files, recursive_scan=True)
    reasons = api.post(f"/api/storages/s3/{source['id']}/plan").json()
    assert (reasons["listed"], reasons["new"]["count"], reasons["existing"]) == (1, 1, 0)
    assert reasons["ignored"]["reasons"]["own_export"]["count"] == 3
    done = sync("s3", source["id"])
    assert (done["status"], done["last_sync_count"], done["meta"]["ignored"]) == ("completed", 1, 3)
    again = sync("s3", source["id"])
    assert (again["last_sync_count"], again["meta"]["tasks_existed"], again["meta"]["ignored"]) == (0, 1, 3)
    shown = api.post("/api/storages/s3/files", s3_settings | {"recursive_scan": True, "use_blob_urls": files}).json()["files"]
    assert [row["key"] for row in shown] == ["mine.json"]


@pytest.mark.parametrize("policy", ["follow", "keep"])
def test_own_exports_are_left_out_of_a_later_sync_too(policy, create, sync, target, s3, s3_settings, first_task, annotate, work):
    s3.put("data", "pic.png", b"x")
    source = create(
        "s3", s3_settings, use_blob_urls=True, renamed_policy="follow" if policy == "follow" else "new", vanished_policy="delete"
    )
    assert sync("s3", source["id"])["last_sync_count"] == 1
    target()
    annotate(first_task)
    work()
    assert len(s3.keys("data")) == 2
    done = sync("s3", source["id"])
    assert (done["status"], done["last_sync_count"], done["meta"]["ignored"]) == ("completed", 0, 1)


def test_an_object_that_was_imported_before_stays_known(create, sync, target, s3, s3_settings, first_task, annotate):
    pk = annotate(first_task)
    s3.put("data", str(pk), b"x")
    source = create("s3", s3_settings, use_blob_urls=True)
    assert sync("s3", source["id"])["last_sync_count"] == 1
    assert sync("export/s3", target().id)["last_sync_count"] == 1
    again = sync("s3", source["id"])
    assert (again["meta"]["tasks_existed"], again["meta"]["ignored"]) == (1, 0)


def test_a_target_elsewhere_hides_nothing(create, sync, target, s3, s3_settings, first_task, annotate, work):
    s3.create_bucket("other")
    create("export/s3", s3_settings | {"bucket": "other"})
    pk = annotate(first_task)
    work()
    s3.put("data", str(pk), b"a picture that happens to have this name")
    assert sync("s3", create("s3", s3_settings, use_blob_urls=True)["id"])["last_sync_count"] == 1


def test_targets_of_another_organization_hide_nothing(create, sync, s3, s3_settings, charlie, work):
    theirs = Project.objects.create(title="E", organization=charlie.active_organization, created_by=charlie)
    stranger = client_of(charlie)
    assert stranger.post("/api/storages/export/s3", s3_settings | {"project": theirs.pk}).status_code == 201
    task = Task.objects.create(project=theirs, inner_id=1, data={"image": "x"})
    assert stranger.post(f"/api/tasks/{task.pk}/annotations/", {"result": []}).status_code == 201
    work()
    assert len(s3.keys("data")) == 1
    assert sync("s3", create("s3", s3_settings, use_blob_urls=True)["id"])["last_sync_count"] == 1


def test_a_page_costs_one_query_and_none_where_nothing_is_shared(create, target, s3_settings, project):
    from storages.backends import BACKENDS

    def queries(storage):
        known = Known(ImportRun(storage=storage, watermark=0), storage.client(), whole_objects=True)
        known.sort([ObjectInfo("first", 1, None)])
        with CaptureQueriesContext(
            connection,
        ) as asked:
            known.sort([ObjectInfo(f"{n}", 1, None) for n in range(1000)])
        return sum("exportlink" in query["sql"] for query in asked)

    storage = BACKENDS["s3"].import_model.objects.get(pk=create("s3", s3_settings)["id"])
    assert queries(storage) == 0
    target()
    assert queries(storage) == 1
