"""Objects that change, vanish or get another name after they were imported: what each policy does, and what it never does."""

import os
from collections.abc import Callable

import pytest

from storages import importing, jobs
from storages.base import ImportStorage
from storages.links import ImportLink, ObjectState
from storages.runs import ImportIssue, ImportRun
from tasks.models import Annotation, Task

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bucket(s3, s3_settings, create, sync) -> Callable[..., dict]:
    """Creates a storage over ten images (``files=True``) or ten task files with two rows each, and syncs it once."""

    def build(*, files: bool, count: int = 10, **settings: object) -> dict:
        for number in range(count):
            rows = b'{"image": "%d-0"}\n{"image": "%d-1"}\n' % (number, number)
            s3.put("data", f"{number}.png" if files else f"{number}.jsonl", rows)
        storage = create("s3", s3_settings, use_blob_urls=files, **settings)
        done = sync("s3", storage["id"])
        assert done["status"] == "completed" and Task.objects.count() == count * (1 if files else 2)
        return storage

    return build


def newest() -> ImportRun:
    return ImportRun.objects.order_by("-id").first()


def counters(*names: str) -> tuple[int, ...]:
    run = newest()
    return tuple(getattr(run, name) for name in names)


def codes() -> list[tuple[str, str]]:
    return sorted(ImportIssue.objects.filter(run=newest()).values_list("key", "code"))


def flags() -> dict[str, str]:
    return dict(ImportLink.objects.exclude(flag="").values_list("key", "flag"))


@pytest.mark.parametrize("files", [True, False], ids=["files", "tasks"])
def test_a_second_sync_finds_everything_known(bucket, sync, files):
    storage = bucket(files=files)
    done = sync("s3", storage["id"])
    tasks = 10 if files else 20
    assert (done["status"], done["last_sync_count"], done["meta"]["tasks_existed"]) == ("completed", 0, tasks)
    assert counters("listed", "settled", "changed", "vanished", "failed") == (10, 10, 0, 0, 0)


def test_a_changed_image_is_counted_and_left_alone_by_default(bucket, sync, s3):
    storage = bucket(files=True)
    before = list(Task.objects.order_by("id").values_list("id", "data", "updated_at"))
    s3.put("data", "3.png", b"other")
    for _ in range(2):
        assert sync("s3", storage["id"])["status"] == "completed"
        assert counters("changed", "existed", "created", "failed") == (1, 10, 0, 0)
    assert list(Task.objects.order_by("id").values_list("id", "data", "updated_at")) == before and flags() == {}


def test_a_changed_image_is_flagged_once_until_it_is_as_it_was(bucket, sync, s3):
    storage = bucket(files=True, changed_policy="flag")
    was = s3.get("data", "3.png")
    s3.put("data", "3.png", b"other")
    assert sync("s3", storage["id"])["status"] == "completed"
    assert flags() == {"3.png": "changed"} and codes() == [("3.png", "changed")]
    sync("s3", storage["id"])
    assert flags() == {"3.png": "changed"} and codes() == []
    s3.put("data", "3.png", was)
    sync("s3", storage["id"])
    assert flags() == {}


def test_the_new_version_of_an_image_is_taken_over(bucket, sync, s3):
    storage = bucket(files=True, changed_policy="update")
    s3.put("data", "3.png", b"other")
    sync("s3", storage["id"])
    assert counters("changed", "created") == (1, 0)
    assert ImportLink.objects.get(key="3.png").size == 5
    sync("s3", storage["id"])
    assert counters("changed") == (0,)


@pytest.mark.parametrize("policy", ["ignore", "update"])
def test_a_changed_task_file_gives_its_new_rows_and_its_new_data_only_if_wanted(bucket, sync, s3, policy):
    storage = bucket(files=False, changed_policy=policy)
    task = ImportLink.objects.get(key="3.jsonl", row_index=1).task
    Annotation.objects.create(task=task, project=task.project, result=[{"id": "a"}])
    s3.put("data", "3.jsonl", b'{"image": "3-0"}\n{"image": "new"}\n{"image": "3-2"}\n')
    assert sync("s3", storage["id"])["status"] == "completed"
    assert counters("changed", "created", "existed", "listed", "settled") == (1, 1, 20, 10, 10)
    task.refresh_from_db()
    assert task.data == {"image": "new" if policy == "update" else "3-1"}
    assert Annotation.objects.get().task_id == task.pk and Task.objects.count() == 21
    sync("s3", storage["id"])
    assert counters("changed", "created") == (0, 0)


def test_an_appended_file_gives_its_new_rows_at_the_next_sync(bucket, sync, s3):
    storage = bucket(files=False)
    for size in (3, 4):
        s3.put("data", "3.jsonl", b"".join(b'{"image": "3-%d"}\n' % n for n in range(size)))
        assert sync("s3", storage["id"])["last_sync_count"] == 1
    assert Task.objects.count() == 22


@pytest.mark.parametrize("files", [True, False], ids=["files", "tasks"])
def test_a_vanished_object_is_counted_and_its_tasks_are_kept_by_default(bucket, sync, s3, files):
    storage = bucket(files=files)
    s3.delete("data", "3.png" if files else "3.jsonl")
    sync("s3", storage["id"])
    assert counters("vanished", "listed") == (1, 9) and Task.objects.count() == (10 if files else 20) and flags() == {}


@pytest.mark.parametrize("files", [True, False], ids=["files", "tasks"])
def test_a_vanished_object_is_flagged_until_it_is_back(bucket, sync, s3, files):
    storage = bucket(files=files, vanished_policy="flag")
    name = "3.png" if files else "3.jsonl"
    body = s3.get("data", name)
    s3.delete("data", name)
    for expected in ([(name, "vanished")], []):
        sync("s3", storage["id"])
        assert counters("vanished") == (1,) and flags() == {name: "vanished"} and codes() == expected
    s3.put("data", name, body)
    assert sync("s3", storage["id"])["last_sync_count"] == 0
    assert counters("vanished") == (0,) and flags() == {}


@pytest.mark.parametrize("files", [True, False], ids=["files", "tasks"])
def test_only_tasks_without_annotations_go_with_their_object(bucket, sync, s3, files):
    storage = bucket(files=files, vanished_policy="delete")
    names = ["3.png", "4.png"] if files else ["3.jsonl", "4.jsonl"]
    kept = ImportLink.objects.filter(key=names[1]).first().task
    Annotation.objects.create(task=kept, project=kept.project, result=[], was_cancelled=True)
    for name in names:
        s3.delete("data", name)
    done = sync("s3", storage["id"])
    assert (done["status"], *counters("vanished", "failed")) == ("completed", 2, 0)
    assert Task.objects.filter(pk=kept.pk).exists() and Task.objects.count() == (9 if files else 17)
    assert flags() == {names[1]: "vanished"} and codes() == [(names[0], "vanished"), (names[1], "vanished")]
    assert not ObjectState.objects.filter(key=names[0]).exists()
    project = kept.project
    project.refresh_from_db()
    assert project.task_number == Task.objects.count()


def test_more_than_the_cap_is_never_deleted(bucket, sync, s3, api):
    storage = bucket(files=True, vanished_policy="delete")
    for number in range(3):
        s3.delete("data", f"{number}.png")
    done = sync("s3", storage["id"])
    assert (
        done["status"] == "failed" and "3 of the storage's 10 tasks" in done["traceback"] and "vanished_cap" in done["traceback"]
    )
    assert Task.objects.count() == 10 and newest().error_code == "vanished_cap"
    api.patch(f"/api/storages/s3/{storage['id']}", {"vanished_cap": 30})
    assert sync("s3", storage["id"])["status"] == "completed" and Task.objects.count() == 7


def test_an_empty_listing_deletes_nothing_whatever_the_cap(bucket, sync, s3):
    storage = bucket(files=True, vanished_policy="delete", vanished_cap=100)
    for number in range(10):
        s3.delete("data", f"{number}.png")
    done = sync("s3", storage["id"])
    assert done["status"] == "failed" and "the listing is empty" in done["traceback"] and Task.objects.count() == 10


def test_objects_that_a_new_filter_leaves_out_have_not_vanished(bucket, sync, api):
    storage = bucket(files=True, vanished_policy="delete", vanished_cap=100)
    api.patch(f"/api/storages/s3/{storage['id']}", {"regex_filter": "[0-4].*"})
    assert sync("s3", storage["id"])["status"] == "completed"
    assert counters("vanished", "ignored", "listed") == (0, 5, 5) and Task.objects.count() == 10


def test_tasks_of_other_storages_are_nobody_elses_business(bucket, sync, s3, create, s3_settings):
    storage = bucket(files=True, vanished_policy="delete", vanished_cap=100)
    s3.put("data", "sub/a.png", b"a")
    other = create("s3", s3_settings, prefix="sub", use_blob_urls=True)
    sync("s3", other["id"])
    s3.delete("data", "0.png")
    sync("s3", storage["id"])
    assert Task.objects.count() == 10 and ImportLink.objects.filter(storage_id=other["id"]).count() == 1


@pytest.mark.parametrize("files", [True, False], ids=["files", "tasks"])
def test_a_renamed_object_keeps_its_tasks_if_the_policy_says_so(bucket, sync, s3, files):
    storage = bucket(files=files, renamed_policy="follow", vanished_policy="delete", vanished_cap=100)
    old, new = ("3.png", "moved.png") if files else ("3.jsonl", "moved.jsonl")
    ids = sorted(ImportLink.objects.filter(key=old).values_list("task_id", flat=True))
    s3.put("data", new, s3.get("data", old))
    s3.delete("data", old)
    s3.put("data", "fresh.png" if files else "fresh.jsonl", b'{"image": "fresh"}')
    done = sync("s3", storage["id"])
    assert (done["status"], done["last_sync_count"]) == ("completed", 1)
    assert counters("renamed", "vanished", "listed", "settled") == (1, 0, 11, 11)
    assert sorted(ImportLink.objects.filter(key=new).values_list("task_id", flat=True)) == ids
    assert not ImportLink.objects.filter(key=old).exists()
    if files:
        assert Task.objects.get(pk=ids[0]).data == {"image": "s3://data/moved.png"}
    again = sync("s3", storage["id"])
    assert (again["last_sync_count"], *counters("renamed", "vanished", "changed")) == (0, 0, 0, 0)


def test_a_renamed_object_is_new_and_gone_by_default(bucket, sync, s3):
    storage = bucket(files=True)
    s3.put("data", "moved.png", s3.get("data", "3.png"))
    s3.delete("data", "3.png")
    sync("s3", storage["id"])
    assert counters("created", "vanished", "renamed") == (1, 1, 0)


def test_a_copy_is_no_rename_while_the_original_is_there(bucket, sync, s3):
    storage = bucket(files=True, renamed_policy="follow")
    s3.put("data", "copy.png", s3.get("data", "3.png"))
    sync("s3", storage["id"])
    assert counters("created", "renamed", "vanished") == (1, 0, 0)


def test_tasks_deleted_by_hand_come_back_when_none_of_their_object_is_left(bucket, sync, api):
    storage = bucket(files=False)
    first, second = ImportLink.objects.filter(key="3.jsonl").order_by("id").values_list("task_id", flat=True)
    for task, made in ((first, 0), (second, 2)):
        assert api.delete(f"/api/tasks/{task}/").status_code == 204
        assert sync("s3", storage["id"])["last_sync_count"] == made
    assert Task.objects.count() == 20


def test_settings_changed_while_a_sync_runs_end_it_before_it_draws_wrong_conclusions(bucket, s3, api, work):
    """Else what the new settings would have listed counts as vanished."""
    storage = bucket(files=True, vanished_policy="delete", vanished_cap=100)
    run = importing.begin(ImportStorage.objects.get(pk=storage["id"]), None, "api")
    api.patch(f"/api/storages/s3/{storage['id']}", {"use_blob_urls": False})
    jobs.run_import(run.pk)
    run.refresh_from_db()
    assert run.state == "failed" and "settings were changed" in run.error and Task.objects.count() == 10


def test_a_new_title_or_secret_does_not_end_a_sync(bucket, api, s3):
    storage = bucket(files=True)
    run = importing.begin(ImportStorage.objects.get(pk=storage["id"]), None, "api")
    change = {"title": "New", "aws_secret_access_key": s3.secret_key, "presign_ttl": 5, "vanished_policy": "flag"}
    assert api.patch(f"/api/storages/s3/{storage['id']}", change).status_code == 200
    jobs.run_import(run.pk)
    run.refresh_from_db()
    assert run.state == "completed"


def test_an_object_that_is_back_with_another_content_is_not_marked_as_vanished_any_more(bucket, sync, s3):
    storage = bucket(files=True, vanished_policy="flag")
    s3.delete("data", "3.png")
    sync("s3", storage["id"])
    s3.put("data", "3.png", b"other")
    sync("s3", storage["id"])
    assert flags() == {} and counters("changed") == (1,)


def test_annotated_tasks_do_not_count_towards_the_cap(bucket, sync, s3):
    storage = bucket(files=True, vanished_policy="delete")
    for number in range(5):
        task = ImportLink.objects.get(key=f"{number}.png").task
        Annotation.objects.create(task=task, project=task.project, result=[])
        s3.delete("data", f"{number}.png")
    assert sync("s3", storage["id"])["status"] == "completed" and Task.objects.count() == 10


def test_second_thoughts_about_deleting_come_in_time(bucket, s3, api):
    storage = bucket(files=True, vanished_policy="delete", vanished_cap=100)
    for number in range(5):
        s3.delete("data", f"{number}.png")
    run = importing.begin(ImportStorage.objects.get(pk=storage["id"]), None, "api")
    loaded = ImportRun.objects.select_related("storage__project").get(pk=run.pk)
    api.patch(f"/api/storages/s3/{storage['id']}", {"vanished_policy": "keep"})
    importing.work(loaded, lambda: None)
    assert Task.objects.count() == 10 and counters("vanished") == (5,)


def test_a_file_that_never_gave_a_task_has_not_changed_when_it_is_mended(s3, s3_settings, create, sync):
    s3.put("data", "a.json", b"{")
    storage = create("s3", s3_settings, changed_policy="flag")
    sync("s3", storage["id"])
    s3.put("data", "a.json", b'{"image": "mended"}')
    sync("s3", storage["id"])
    assert counters("created", "changed") == (1, 0) and flags() == {}


def test_files_of_the_same_time_and_size_are_not_taken_for_one_another(create, sync, documents, project):
    """An archive that was unpacked gives all its files one time."""
    for name in "abcd":
        (documents / f"{name}.png").write_bytes(name.encode() * 9)
        os.utime(documents / f"{name}.png", (315_532_800, 315_532_800))
    settings = {"project": project.pk, "path": str(documents), "use_blob_urls": True, "renamed_policy": "follow"}
    storage = create("localfiles", settings)
    sync("localfiles", storage["id"])
    (documents / "a.png").rename(documents / "z.png")
    sync("localfiles", storage["id"])
    assert counters("renamed", "created", "vanished") == (0, 1, 1)


def test_a_renamed_local_file_keeps_its_task(create, sync, documents, project):
    for name in "ab":
        (documents / f"{name}.png").write_bytes(name.encode() * 9)
    settings = {"project": project.pk, "path": str(documents), "use_blob_urls": True, "renamed_policy": "follow"}
    storage = create("localfiles", settings)
    sync("localfiles", storage["id"])
    (documents / "a.png").rename(documents / "z.png")
    sync("localfiles", storage["id"])
    assert counters("renamed", "created", "vanished") == (1, 0, 0)


def test_a_new_name_is_set_aside_once_although_its_folder_is_listed_twice(create, sync, documents, project, monkeypatch):
    monkeypatch.setattr("storages.splitting.PAGES", 2)
    settings = {"project": project.pk, "path": str(documents), "use_blob_urls": True, "recursive_scan": True}
    for folder in ("one", "two"):
        (documents / folder).mkdir()
        (documents / folder / "first.png").write_bytes(b"x")
    storage = create("localfiles", settings, renamed_policy="follow")
    sync("localfiles", storage["id"])
    for number in range(4500):
        (documents / "one" / f"{number}.png").write_bytes(b"y")
    done = sync("localfiles", storage["id"])
    assert (done["status"], done["last_sync_count"], *counters("listed", "settled")) == ("completed", 4500, 4502, 4502)
    assert newest().requests < 30
