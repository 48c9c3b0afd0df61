"""A sync of a source through the API and a worker: what becomes a task, what is reported, what is counted."""

import json
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from storages import status
from storages.links import ImportLink, ObjectState
from storages.providers.aws.client import S3Client
from storages.runs import ImportRun
from tasks.models import Annotation, Prediction, Task

pytestmark = pytest.mark.django_db(transaction=True)


def data_of(project):
    return [task.data for task in Task.objects.filter(project=project).order_by("id")]


def test_files_become_one_task_each_and_a_second_sync_adds_none(s3, s3_settings, create, sync, project):
    for number in range(3):
        s3.put("data", f"img/{number}.png", b"x")
    storage = create("s3", s3_settings, prefix="img", use_blob_urls=True)
    assert (storage["status"], storage["last_sync"], storage["meta"]) == ("initialized", None, {})
    first = sync("s3", storage["id"])
    assert (first["status"], first["last_sync_count"], first["meta"]["tasks_existed"]) == ("completed", 3, 0)
    assert first["last_sync"] and first["traceback"] is None and first["meta"]["attempts"] == 1
    assert data_of(project) == [{"image": f"s3://data/img/{number}.png"} for number in range(3)]
    s3.put("data", "img/3.png", b"x")
    second = sync("s3", storage["id"])
    assert (second["last_sync_count"], second["meta"]["tasks_existed"], second["meta"]["attempts"]) == (1, 3, 2)
    project.refresh_from_db()
    assert project.task_number == Task.objects.filter(project=project).count() == 4


def test_the_filter_and_the_folder_rule_decide_what_is_listed(s3, s3_settings, create, sync, project):
    for key in ("in/a.jpg", "in/b.txt", "in/sub/c.jpg", "in-private/d.jpg", "in/dir/"):
        s3.put("data", key, b"x")
    flat = create("s3", s3_settings, prefix="in/", use_blob_urls=True, regex_filter=r".*\.jpg$")
    assert sync("s3", flat["id"])["last_sync_count"] == 1
    deep = create("s3", s3_settings, prefix="in", use_blob_urls=True, regex_filter=r".*\.jpg$", recursive_scan=True)
    answer = sync("s3", deep["id"])
    assert (answer["last_sync_count"], answer["meta"]["ignored"]) == (2, 1)


def test_local_files_become_links_that_the_server_serves(documents, create, sync, project, api):
    (documents / "sub").mkdir()
    for name in ("a b#?.txt", "sub/ü%.txt"):
        (documents / name).write_text(name)
    settings = {"project": project.pk, "title": "Local", "path": str(documents)}
    storage = create("localfiles", settings, use_blob_urls=True, recursive_scan=True)
    assert sync("localfiles", storage["id"])["last_sync_count"] == 2
    for task in Task.objects.filter(project=project):
        [link] = task.data.values()
        answer = api.get(link)
        assert answer.status_code == 200
        assert b"".join(answer.streaming_content).decode() in link.replace("%20", " ") or "%" in link


@pytest.mark.parametrize(
    ("name", "body", "wanted"),
    [
        ("one.json", b'{"image": "a"}', [{"image": "a"}]),
        ("wrapped.json", b'{"data": {"image": "a"}, "meta": {"m": 1}}', [{"image": "a"}]),
        ("pretty.json", b'{\n  "image": "a"\n}\n', [{"image": "a"}]),
        ("array.json", b'[{"image": "a"}, {"data": {"image": "b"}}]', [{"image": "a"}, {"image": "b"}]),
        ("lines.jsonl", b'{"image": "a"}\r\n\r\n{"image": "b"}', [{"image": "a"}, {"image": "b"}]),
        ("lines.ndjson", b'{"image": "a"}\n{"image": "b"}\n', [{"image": "a"}, {"image": "b"}]),
        ("bom.json", b'\xef\xbb\xbf{"image": "\xc3\xbc"}', [{"image": "ü"}]),
        ("noextension", b'{"image": "a"}', [{"image": "a"}]),
        ("empty-array.json", b"[]", []),
    ],
)
def test_task_files_are_read_by_content(s3, s3_settings, create, sync, project, name, body, wanted):
    s3.put("data", name, body)
    storage = create("s3", s3_settings)
    assert sync("s3", storage["id"])["status"] == "completed"
    assert data_of(project) == wanted


@pytest.mark.parametrize("count", [3, 60_000])
def test_parquet_rows_become_tasks_once_whatever_the_size(s3, s3_settings, create, sync, project, count):
    import io

    from pyarrow import parquet, table

    body = io.BytesIO()
    columns = {"image": [f"s3://data/{n}.png" for n in range(count)], "taken": [datetime(2026, 1, 1, tzinfo=UTC)] * count}
    parquet.write_table(table(columns), body, row_group_size=max(count // 3, 1), compression="none", use_dictionary=False)
    s3.put("data", "t.parquet", body.getvalue())
    s3.put("data", "broken.parquet", body.getvalue()[:-20])
    storage = create("s3", s3_settings)
    answer = sync("s3", storage["id"])
    assert "broken.parquet" in answer["traceback"] and "Parquet" in answer["traceback"]
    assert Task.objects.count() == count
    assert Task.objects.order_by("id").first().data == {"image": "s3://data/0.png", "taken": "2026-01-01T00:00:00+00:00"}
    again = sync("s3", storage["id"])
    assert (again["last_sync_count"], again["meta"]["tasks_existed"]) == (0, count)


def test_a_parquet_file_that_got_another_row_group_gives_just_that(s3, s3_settings, create, sync, project):
    import io

    from pyarrow import parquet, table

    storage = create("s3", s3_settings)
    for count in (2, 4, 6):
        body = io.BytesIO()
        parquet.write_table(table({"image": [str(number) for number in range(count)]}), body, row_group_size=2)
        s3.put("data", "t.parquet", body.getvalue())
        assert sync("s3", storage["id"])["last_sync_count"] == 2
    assert [data["image"] for data in data_of(project)] == ["0", "1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    ("name", "body", "kept", "said"),
    [
        ("bad.json", b'{"image": ', [], "not valid JSON"),
        ("broken.json", b'[{"image": "a"}, {"image": "b"}, {"im', ["a", "b"], "row 2: the JSON array breaks off"),
        ("rows.jsonl", b'{"image": "a"}\n5\nnonsense\n{"image": "b"}', ["a", "b"], "row 1: a task must be a JSON object"),
        ("photo.png", b"\x89PNG", [], "Files"),
        ("photo", b"\x89PNG", [], "Files"),
        ("empty.json", b"", [], "empty"),
        ("nul.json", b'{"image": "a\\u0000"}', [], "cannot be stored"),
        ("nan.json", b'{"image": NaN}', [], "NaN"),
        ("who.json", b'{"data": {"image": "x"}, "annotations": [{"completed_by": "nobody@x.io", "result": []}]}', [], "nobody@x.io"),
        ("surrogate.json", b'{"image": "\\ud800"}', [], "cannot be stored"),
    ],
)  # fmt: skip
def test_a_bad_object_or_row_is_reported_and_its_neighbours_are_imported(
    s3, s3_settings, create, sync, project, name, body, kept, said
):
    s3.put("data", "0-good.json", b'{"image": "first"}')
    s3.put("data", name, body)
    s3.put("data", "zz-good.json", b'{"image": "last"}')
    answer = sync("s3", create("s3", s3_settings)["id"])
    assert answer["status"] == "completed_with_errors"
    assert sorted(data["image"] for data in data_of(project)) == sorted(["first", *kept, "last"])
    assert name in answer["traceback"] and said in answer["traceback"]
    assert "Traceback" not in answer["traceback"] and '.py"' not in answer["traceback"]
    assert answer["meta"]["tasks_failed_validation"] == answer["meta"]["failed"] > 0


def test_a_repaired_file_gives_its_missing_rows_and_no_row_twice(s3, s3_settings, create, sync, project):
    s3.put("data", "t.jsonl", b'{"image": "1"}\nbad\n{"image": "3"}\n')
    storage = create("s3", s3_settings)
    assert sync("s3", storage["id"])["last_sync_count"] == 2
    s3.put("data", "t.jsonl", b'{"image": "1"}\n{"image": "2"}\n{"image": "3"}\n{"image": "4"}\n')
    answer = sync("s3", storage["id"])
    assert (answer["status"], answer["last_sync_count"], answer["meta"]["tasks_existed"]) == ("completed", 2, 2)
    assert sorted(data["image"] for data in data_of(project)) == ["1", "2", "3", "4"]
    s3.requests.clear()
    assert sync("s3", storage["id"])["meta"]["tasks_existed"] == 4
    assert not [request for request in s3.requests if request.path.endswith("t.jsonl")], "an unchanged file is not read again"


def test_annotations_and_predictions_of_a_task_file_are_counted(s3, s3_settings, create, sync, project, alice):
    result = [{"from_name": "kind", "to_name": "image", "type": "choices", "value": {"choices": ["cat"]}}]
    task = {
        "data": {"image": "a"},
        "annotations": [{"result": result, "completed_by": {"email": alice.email}}, {"result": [], "was_cancelled": True}],
        "predictions": [{"result": result, "score": 0.5, "model_version": "m1"}],
    }
    s3.put("data", "t.json", json.dumps(task).encode())
    assert sync("s3", create("s3", s3_settings)["id"])["status"] == "completed"
    saved = Task.objects.get(project=project)
    assert (saved.total_annotations, saved.cancelled_annotations, saved.total_predictions) == (1, 1, 1)
    assert Annotation.objects.get(was_cancelled=False).completed_by == alice
    assert Prediction.objects.get().model_version == "m1"
    project.refresh_from_db()
    assert (project.total_annotations_number, project.total_predictions_number) == (1, 1)


def test_a_deleted_task_comes_back_with_the_next_sync(s3, s3_settings, create, sync, project, api):
    s3.put("data", "a.png", b"x")
    storage = create("s3", s3_settings, use_blob_urls=True)
    sync("s3", storage["id"])
    assert api.delete(f"/api/tasks/{Task.objects.get().pk}/").status_code == 204
    assert ImportLink.objects.count() == 0
    assert sync("s3", storage["id"])["last_sync_count"] == 1


def test_deleting_a_storage_keeps_its_tasks(s3, s3_settings, create, sync, project, api):
    s3.put("data", "a.json", b'{"image": "a"}')
    storage = create("s3", s3_settings)
    sync("s3", storage["id"])
    assert api.delete(f"/api/storages/s3/{storage['id']}").status_code == 204
    assert (Task.objects.count(), ImportLink.objects.count(), ObjectState.objects.count(), ImportRun.objects.count()) == (
        1,
        0,
        0,
        0,
    )


def test_ten_thousand_new_tasks_cost_at_most_one_statement_per_ten_tasks(
    s3, s3_settings, create, api, work, project, monkeypatch
):
    for number in range(1500):
        s3.put("data", f"n/{number:05}.png", b"x")
    storage = create("s3", s3_settings, use_blob_urls=True, recursive_scan=True)
    api.post(f"/api/storages/s3/{storage['id']}/sync")
    with CaptureQueriesContext(connection) as captured:
        work()
    assert Task.objects.count() == 1500
    assert len(captured) <= 1500 * 0.1


def test_a_listing_that_fails_in_the_middle_keeps_what_was_committed_and_goes_on_next_time(
    s3, s3_settings, create, sync, project, api, work
):
    for number in range(30):
        s3.put("data", f"{number:02}.png", b"x")
    storage = create("s3", s3_settings, use_blob_urls=True)
    api.post(f"/api/storages/s3/{storage['id']}/sync")
    s3.refuse_all()
    work()
    answer = api.get(f"/api/storages/s3/{storage['id']}").json()
    assert answer["status"] == "failed" and "Could not reach" in answer["traceback"] and answer["last_sync"] is None
    s3.refuse_all(False)
    assert sync("s3", storage["id"])["traceback"] is None
    assert Task.objects.count() == 30


def test_a_key_that_http_clients_fold_is_one_reported_object(s3, s3_settings, create, sync):
    for key in ("a.json", "b/./x.json", "b/../y.json", "c.json"):
        s3.put("data", key, b'{"image": "a"}')
    answer = sync("s3", create("s3", s3_settings, recursive_scan=True)["id"])
    assert (answer["status"], answer["last_sync_count"], answer["meta"]["failed"]) == ("completed_with_errors", 2, 2)
    assert "b/./x.json" in answer["traceback"] and "fold" in answer["traceback"]


def test_throttling_is_waited_out(s3, s3_settings, create, sync):
    s3.put("data", "a.json", b'{"image": "a"}')
    storage = create("s3", s3_settings)
    s3.fail_next(2, status=503, code="SlowDown", match="a.json")
    assert sync("s3", storage["id"])["status"] == "completed"


def test_an_object_that_breaks_off_is_reported_and_read_again_next_time(s3, s3_settings, create, sync, project):
    s3.put("data", "cut.jsonl", b"".join(b'{"image": "%d"}\n' % number for number in range(40_000)))
    storage = create("s3", s3_settings)
    s3.cut_body_after(400_000, match="cut.jsonl", n=1)
    s3.cut_body_after(1, match="cut.jsonl")
    first = sync("s3", storage["id"])
    assert first["status"] == "completed_with_errors" and "broke off" in first["traceback"]
    assert 0 < Task.objects.count() < 40_000
    s3.heal()
    assert sync("s3", storage["id"])["status"] == "completed"
    assert Task.objects.count() == 40_000


def test_an_object_that_breaks_off_again_and_again_is_read_on_where_it_broke(s3, s3_settings, create, sync):
    body = b"".join(b'{"image": "%d"}\n' % number for number in range(40_000))
    s3.put("data", "cut.jsonl", body)
    s3.cut_body_after(200_000, match="cut.jsonl")
    done = sync("s3", create("s3", s3_settings)["id"])
    assert (done["status"], Task.objects.count(), done["traceback"]) == ("completed", 40_000, None)


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-01-01"])
def test_a_time_that_utc_does_not_have_is_one_bad_row(s3, s3_settings, create, sync, project, api, time):
    bad = {"data": {"image": "x"}, "annotations": [{"result": [], "draft_created_at": time}]}
    s3.put("data", "t.jsonl", json.dumps(bad).encode() + b'\n{"image": "good"}\n')
    answer = sync("s3", create("s3", s3_settings)["id"])
    assert (answer["status"], answer["last_sync_count"], answer["meta"]["failed"]) == ("completed_with_errors", 1, 1)
    assert api.post(f"/api/projects/{project.pk}/import", [bad]).status_code == 400


def test_deleting_a_storage_or_its_project_ends_the_sync_that_runs(s3, s3_settings, create, api, project):
    for delete in ("storage", "project"):
        storage = create("s3", s3_settings, use_blob_urls=True)
        api.post(f"/api/storages/s3/{storage['id']}/sync")
        run = ImportRun.objects.get()
        lease = status.acquire(run)
        route = f"/api/storages/s3/{storage['id']}" if delete == "storage" else f"/api/projects/{project.pk}/"
        assert api.delete(route).status_code == 204
        with pytest.raises(status.LeaseLost):
            status.beat(run, lease)


def test_large_objects_are_opened_one_after_another_when_their_turn_comes(s3, s3_settings, create, sync, monkeypatch):
    lines = b"".join(b'{"image": "%06d"}\n' % number for number in range(20_000))
    for name in ("a", "b", "c"):
        s3.put("data", f"{name}.jsonl", lines)
    opened, most, original = [], [], S3Client.open

    def watched(client, key, *range_):
        stream = original(client, key, *range_)
        opened.append(key)
        most.append(len(opened))
        close = stream.raw.close
        monkeypatch.setattr(stream.raw, "close", lambda: (opened.remove(key), close()))
        return stream

    monkeypatch.setattr(S3Client, "open", watched)
    assert sync("s3", create("s3", s3_settings)["id"])["last_sync_count"] == 60_000
    assert most == [1, 1, 1, 1], "the connection check opens one, the sync each of the three"
