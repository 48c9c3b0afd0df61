"""Two subjects of one name, and names that change: nobody overwrites or removes what is another's, nothing is left unnoticed."""

import json
import threading
from contextlib import suppress

import pytest
from django.db import connection

from storages import deliver, jobs, outbox
from storages.base import ExportStorage
from storages.links import ExportLink, ImportLink, OutboxItem, key_digest
from storages.sync.push import Pusher
from tasks.models import Annotation, Task
from tests.storages.targets import RESULT, time_passes
from tests.storages.targets import annotate as annotate  # noqa: F401 - the fixture

pytestmark = pytest.mark.django_db(transaction=True)
NAMED = {"object_form": "task", "key_template": "gold/{storage_filename}.json"}
KEY = "gold/img1.json"


@pytest.fixture(autouse=True)
def nothing_at_once(settings):
    settings.SYNC_ON_TARGET_STORAGE_CREATION = False


@pytest.fixture
def twins(create, s3, s3_settings, project, alice):
    """Two annotated tasks whose objects lie under one file name in the folders of two sources."""
    found = []
    for number, folder in enumerate(("a", "b")):
        s3.put("data", f"{folder}/img1.jpg", b"")
        source = create("s3", s3_settings, prefix=folder)["id"]
        task = Task.objects.create(project=project, inner_id=number, data={"image": folder})
        key = f"{folder}/img1.jpg"
        ImportLink.objects.create(storage_id=source, task=task, key=key, digest=key_digest(key))
        Annotation.objects.create(task=task, project=project, result=RESULT, completed_by=alice)
        found.append(task)
    return found


@pytest.fixture
def again(work):
    """All that waits is tried at once."""

    def run(pk):
        time_passes()
        jobs.deliver_outbox(pk)

    return run


def holder(s3, key=KEY):
    return json.loads(s3.get("data", key))["id"]


def issues(api, path):
    run = api.get(f"{path}/runs").json()["results"][0]
    return run, api.get(run["issues_url"]).json()["results"]


def test_of_two_workers_that_deliver_the_same_name_at_once_one_writes_and_the_other_is_told(create, s3, s3_settings, twins):
    target = ExportStorage.objects.get(pk=create("export/s3", s3_settings, **NAMED)["id"]).concrete()
    outbox.record(target.project_id, [(0, task.pk) for task in twins])
    claimed = [outbox.claim(target, f"worker {n}", limit=1) for n in range(2)]
    looked, done = threading.Barrier(2), []

    def meet(execute, sql, *rest):
        answer = execute(sql, *rest)
        if sql.startswith("SELECT") and '"key_digest" IN' in sql:
            with suppress(threading.BrokenBarrierError):
                looked.wait(0.5)  # both look before either writes, if that can be
        return answer

    def work(items):
        with Pusher(target.client()) as pusher, connection.execute_wrapper(meet):
            done.append(deliver.deliver_chunk(target, pusher, items))
        connection.close()

    threads = [threading.Thread(target=work, args=(items,)) for items in claimed]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    (written,) = [item for delivery in done for item in delivery.written]
    ((refused, error),) = [pair for delivery in done for pair in delivery.failed]
    assert {written.subject, refused.subject} == {task.pk for task in twins} and holder(s3) == written.subject
    assert (error.code, error.field) == ("collision", "key_template") and f"task {written.subject} " in str(error)
    assert len([one for one in s3.requests if one.method == "PUT" and KEY in one.path]) == 1
    assert ExportLink.objects.get().subject == written.subject


@pytest.mark.parametrize("may_delete", [True, False])
def test_the_name_of_a_deleted_owner_goes_to_the_next_one_that_has_it(
    may_delete, create, api, again, sync, s3, s3_settings, twins
):
    pk = create("export/s3", s3_settings, **NAMED, can_delete_objects=may_delete)["id"]
    done = sync("export/s3", pk)
    assert (done["status"], done["last_sync_count"]) == ("completed_with_errors", 1)
    run, (issue,) = issues(api, f"/api/storages/export/s3/{pk}")
    assert (issue["code"], issue["key"], holder(s3)) == ("collision", str(twins[1].pk), twins[0].pk)
    assert f"{KEY} is the name of task {twins[0].pk} already" in issue["message"]
    again(pk)
    assert holder(s3) == twins[0].pk and OutboxItem.objects.get().subject == twins[1].pk, "it waits for its turn"
    assert api.delete(f"/api/tasks/{twins[0].pk}/").status_code == 204
    again(pk)
    again(pk)
    assert holder(s3) == twins[1].pk and not OutboxItem.objects.exists()
    assert ExportLink.objects.get().subject == twins[1].pk, "the former owner has nothing there any more"


@pytest.fixture
def moved(create, sync, s3, s3_settings, project, alice):
    """A target that has written five annotations, and is about to get other names: (path, ids)."""

    def of(**settings):
        task = Task.objects.create(project=project, inner_id=1, data={"image": "x"})
        made = [Annotation.objects.create(task=task, project=project, result=RESULT, completed_by=alice).pk for _ in range(5)]
        pk = create("export/s3", s3_settings, **settings)["id"]
        assert sync("export/s3", pk)["status"] == "completed"
        return f"/api/storages/export/s3/{pk}", made

    return of


@pytest.mark.parametrize("query", ["", "?only_new=true"])
@pytest.mark.parametrize("change", [{"key_template": "{annotation_id}.json"}, {"prefix": "deep/er"}])
def test_other_names_move_the_objects_at_the_next_sync_of_either_kind(query, change, moved, api, work, s3):
    path, made = moved(can_delete_objects=True)
    assert api.patch(path, change).status_code == 200
    assert api.post(f"{path}/sync{query}").status_code == 200
    work()
    named = "deep/er/{}" if "prefix" in change else "{}.json"
    assert set(s3.keys("data")) == {named.format(pk) for pk in made}
    run, found = issues(api, path)
    assert (run["state"], run["counters"]["new"], found) == ("completed", 5, [])
    assert set(ExportLink.objects.values_list("form", "key")) == {("annotation", named.format(pk)) for pk in made}


def test_objects_of_old_names_that_may_not_be_deleted_are_told_and_stay_known_as_ours(
    moved, api, work, create, sync, s3, s3_settings
):
    path, made = moved()
    assert api.patch(path, {"key_template": "{annotation_id}.json"}).status_code == 200
    api.post(f"{path}/sync?only_new=true")
    work()
    assert set(s3.keys("data")) == {*map(str, made), *(f"{pk}.json" for pk in made)}
    run, found = issues(api, path)
    assert (run["state"], run["counters"]["failed"]) == ("completed", 0), "nothing failed"
    assert sorted((one["key"], one["code"]) for one in found) == sorted((str(pk), "left_behind") for pk in made)
    assert "can_delete_objects" in found[0]["message"]
    before = Task.objects.count()
    assert sync("s3", create("s3", s3_settings)["id"])["status"] == "completed" and Task.objects.count() == before
    assert api.patch(path, {"key_template": ""}).status_code == 200, "and back again"
    api.post(f"{path}/sync")
    work()
    assert {json.loads(s3.get("data", str(pk)))["id"] for pk in made} == set(made)


def test_an_old_name_that_another_target_writes_too_is_not_removed(moved, api, work, sync, create, s3, s3_settings, project):
    path, made = moved(can_delete_objects=True)
    twin = create("export/s3", s3_settings)["id"]
    sync("export/s3", twin)
    api.patch(path, {"prefix": "own"})
    api.post(f"{path}/sync")
    work()
    assert set(s3.keys("data")) == {*map(str, made), *(f"own/{pk}" for pk in made)}
    assert api.delete(f"/api/annotations/{made[0]}/").status_code == 204
    work()
    assert set(s3.keys("data")) == {*map(str, made), *(f"own/{pk}" for pk in made[1:])}, "the twin may not delete"


def test_of_twins_that_share_a_name_the_one_that_may_removes_what_is_deleted(moved, api, work, sync, create, s3, s3_settings):
    _, made = moved(can_delete_objects=True)
    sync("export/s3", create("export/s3", s3_settings)["id"])
    assert api.delete(f"/api/annotations/{made[0]}/").status_code == 204
    work()
    assert set(s3.keys("data")) == set(map(str, made[1:]))


def test_the_former_names_of_a_target_are_not_overwritten_by_another_one(create, sync, again, api, work, s3, s3_settings, twins):
    old = create("export/s3", s3_settings, **NAMED, can_delete_objects=True)["id"]
    sync("export/s3", old)
    mine, other = twins
    assert holder(s3) == mine.pk
    path = f"/api/storages/export/s3/{old}"
    assert api.patch(path, {"key_template": "x/{task_id}.json"}).status_code == 200
    api.delete(f"/api/tasks/{other.pk}/")
    theirs = api.post("/api/projects/", {"title": "Other"}).json()["id"]
    task = Task.objects.create(project_id=theirs, inner_id=1, data={"image": "y"})
    Annotation.objects.create(task=task, project_id=theirs, result=RESULT)
    s3.put("data", "c/img1.jpg", b"")
    source = create("s3", s3_settings | {"project": theirs}, prefix="c")["id"]
    ImportLink.objects.create(storage_id=source, task=task, key="c/img1.jpg", digest=key_digest("c/img1.jpg"))
    new = create("export/s3", s3_settings | {"project": theirs}, **NAMED)["id"]
    assert sync("export/s3", new)["status"] == "completed_with_errors"
    _, (issue,) = issues(api, f"/api/storages/export/s3/{new}")
    assert issue["code"] == "collision" and f"task {mine.pk} of target {old}" in issue["message"]
    assert holder(s3) == mine.pk, "not overwritten"
    sync("export/s3", old)
    again(new)
    assert holder(s3) == task.pk and holder(s3, f"x/{mine.pk}.json") == mine.pk


@pytest.mark.parametrize("then", ["other names", "the old names", "deletion"])
def test_a_move_that_broke_off_leaves_nothing_behind_whatever_comes_then(then, moved, api, work, again, s3):
    path, made = moved(can_delete_objects=True)
    api.patch(path, {"prefix": "one"})
    s3.fail_next(99, status=403, code="AccessDenied", match="/data/[0-9]+$")  # new objects are written, the old ones stay
    api.post(f"{path}/sync")
    work()
    assert set(s3.keys("data")) == {*map(str, made), *(f"one/{pk}" for pk in made)}
    s3.heal()
    wanted = {"other names": "two/{}", "the old names": "{}"}.get(then, "")
    if then == "deletion":
        api.delete(f"/api/tasks/{Task.objects.get().pk}/")
    else:
        api.patch(path, {"prefix": wanted.partition("/")[0] if "/" in wanted else ""})
    again(int(path.rpartition("/")[2]))
    assert set(s3.keys("data")) == ({wanted.format(pk) for pk in made} if wanted else set())
    assert not OutboxItem.objects.exists() and ExportLink.objects.count() == (5 if wanted else 0)


def test_a_target_that_is_pointed_elsewhere_begins_anew_and_deletes_nothing_that_it_did_not_write(
    moved, api, work, s3, s3_settings
):
    path, made = moved(can_delete_objects=True)
    s3.create_bucket("elsewhere")
    s3.put("elsewhere", str(made[0]), b"somebody else's")
    secret = {"aws_access_key_id": s3.access_key, "aws_secret_access_key": s3.secret_key}
    assert api.patch(path, {"bucket": "elsewhere"} | secret).status_code == 200
    assert api.delete(f"/api/annotations/{made[0]}/").status_code == 204
    work()
    assert s3.get("elsewhere", str(made[0])) == b"somebody else's"
    api.post(f"{path}/sync?only_new=true")
    work()
    assert set(s3.keys("elsewhere")) == set(map(str, made)) and len(s3.keys("data")) == 5, "all that is left, once more"


def test_settings_that_change_in_the_middle_of_a_sync_hold_for_the_rest_of_it(moved, api, work, s3, monkeypatch):
    path, made = moved(can_delete_objects=True)
    monkeypatch.setattr(outbox, "CHUNK", 2)
    api.post(f"{path}/sync")
    original, left = deliver.deliver_chunk, [lambda: api.patch(path, {"prefix": "new"})]

    def changing(*args, **options):
        done = original(*args, **options)
        if left:
            assert left.pop()().status_code == 200
        return done

    monkeypatch.setattr(deliver, "deliver_chunk", changing)
    work()
    assert set(s3.keys("data")) == {*map(str, made[:2]), *(f"new/{pk}" for pk in made[2:])}
    api.post(f"{path}/sync?only_new=true")
    work()
    assert set(s3.keys("data")) == {f"new/{pk}" for pk in made}
