"""Redis through the API: syncs in both directions, what is refused at which field, what a PATCH keeps."""

import json

import pytest
from django.db import connection

from tasks.models import Annotation, Task
from tests.fakes.redis_server import DATABASES, PASSWORD
from tests.fakes.redis_server import server as server  # noqa: F401 - the fixture
from tests.storages.conftest import create as create  # noqa: F401 - the fixture
from tests.storages.conftest import sync as sync  # noqa: F401 - the fixture
from tests.storages.conftest import work as work  # noqa: F401 - the fixture
from tests.storages.targets import RESULT

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def posted(server, project):
    """What is POSTed to make a source on database 1."""
    return server.settings(project=project.pk, title="Cache", path="in/")


def test_values_become_tasks_and_a_second_sync_adds_none(server, posted, create, sync, project):
    with server.admin() as admin:
        admin.mset(
            {
                "in/one": '{"image": "1"}',
                "in/two.json": '[{"image": "2"}, {"data": {"image": "3"}}]',
                "in/[x]*?": '{"image": "4"}',
            }
        )
        admin.mset({"in/bad": "plain text", "in/empty": "", "in/large": json.dumps({"image": "5", "pad": "x" * 400_000})})
        admin.mset({b"in/\xff": '{"image": "6"}', "out": '{"image": "0"}'})
        admin.hset("in/hash", "a", "1")
    storage = create("redis", posted)["id"]
    done = sync("redis", storage)
    assert sorted(task.data["image"] for task in Task.objects.filter(project=project)) == ["1", "2", "3", "4", "5"]
    assert (done["status"], done["last_sync_count"]) == ("completed_with_errors", 5)
    assert "in/bad" in done["traceback"] and "not valid Unicode" in done["traceback"] and "udcff" in done["traceback"]
    again = sync("redis", storage)
    assert (again["last_sync_count"], again["meta"]["tasks_existed"], Task.objects.count()) == (0, 5, 5)


def test_the_filter_decides_which_keys_are_read(server, posted, create, sync, api):
    server.admin().mset({f"in/{name}": '{"image": "a"}' for name in ("a.json", "b.json", "c.txt")})
    storage = create("redis", posted, regex_filter=r"in/a.*")["id"]
    assert sync("redis", storage)["last_sync_count"] == 1
    answer = api.post("/api/storages/redis/files", posted | {"regex_filter": r".*\.json"})
    files = sorted(answer.json()["files"], key=lambda file: file["key"])
    assert files == [{"key": f"in/{name}.json", "last_modified": None, "size": 14} for name in "ab"]


def test_annotations_are_written_and_deleted_with_the_annotation(server, posted, create, sync, work, api, project, alice):
    task = Task.objects.create(project=project, inner_id=1, data={"image": "a"})
    made = Annotation.objects.create(task=task, project=project, result=RESULT, completed_by=alice).pk
    settings = posted | {"db": 2, "path": "out", "can_delete_objects": True}
    done = sync("export/redis", create("export/redis", settings)["id"])
    with server.admin(2) as admin:
        assert (done["status"], done["last_sync_count"]) == ("completed", 1) and admin.keys() == [f"out/{made}".encode()]
        assert json.loads(admin.get(f"out/{made}"))["result"][0]["value"] == {"choices": ["cat"]}
        assert api.delete(f"/api/annotations/{made}/").status_code == 204
        work()
        assert admin.keys() == []


def test_what_is_exported_can_be_imported(server, posted, create, sync, project, alice):
    task = Task.objects.create(project=project, inner_id=1, data={"image": "a"})
    Annotation.objects.create(task=task, project=project, result=RESULT, completed_by=alice)
    sync("export/redis", create("export/redis", posted | {"path": "in"})["id"])
    assert sync("redis", create("redis", posted)["id"])["status"].startswith("completed")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"use_blob_urls": True}, "use_blob_urls"),
        ({"db": 0}, "db"),
        ({"db": -1}, "db"),
        ({"db": 32768}, "db"),
        ({"db": DATABASES}, "db"),
        ({"db": None}, "db"),
        ({"port": "six"}, "port"),
        ({"host": "redis://a:hunter2@127.0.0.1"}, "host"),
        ({"password": "wrong"}, "password"),
    ],
)
@pytest.mark.parametrize("verb", ["post", "patch", "validate"])
def test_wrong_settings_are_refused_at_their_field(posted, create, api, more, field, verb):
    if verb == "patch":
        storage = create("redis", posted)["id"]
        answer = api.patch(f"/api/storages/redis/{storage}", {"password": posted["password"]} | more)
    else:
        answer = api.post(f"/api/storages/redis{'/validate' if verb == 'validate' else ''}", posted | more)
    assert answer.status_code == 400 and list(answer.json()["validation_errors"]) == [field]
    assert "hunter2" not in answer.content.decode()


@pytest.mark.parametrize("route", ["redis", "export/redis"])
def test_a_reserved_address_is_answered_with_403(posted, api, settings, route):
    settings.SSRF_ALLOWED_NETWORKS = []
    for call in ("", "/validate"):
        answer = api.post(f"/api/storages/{route}{call}", posted)
        assert answer.status_code == 403 and "reserved network address (block: 127.0.0.0/8)" in answer.content.decode()


@pytest.mark.parametrize(("route", "db"), [("redis", 1), ("export/redis", 2)])
def test_a_patch_of_the_title_keeps_everything_and_a_new_host_needs_the_password_again(server, posted, create, api, route, db):
    posted.pop("db")
    made = create(route, posted)
    assert made["db"] == db and made["port"] == str(server.port) and "password" not in made
    url = f"/api/storages/{route}/{made['id']}"
    changed = api.patch(url, {"title": "Renamed"})
    assert changed.status_code == 200 and changed.json() == made | {"title": "Renamed"}
    assert api.patch(url, {"db": 3, "password": ""}).json()["db"] == 3
    for more in ({"host": "localhost"}, {"port": str(server.tls_port)}):
        answer = api.patch(url, more)
        assert answer.status_code == 400 and list(answer.json()["validation_errors"]) == list(more)
    assert api.patch(url, {"host": "localhost", "password": PASSWORD}).status_code == 200
    assert PASSWORD not in api.get(url).content.decode() + api.get(f"/api/storages/?project={posted['project']}").content.decode()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT password FROM storages_redis{'import' if db == 1 else 'export'}storage")
        assert PASSWORD not in str(cursor.fetchall())


def test_the_form_asks_for_what_label_studio_asks_for(api):
    rows = [[field["name"] for field in row["fields"]] for row in api.get("/api/storages/redis/form").json()]
    assert rows[:4] == [["title"], ["db", "path", "password", "host", "port"], ["regex_filter"], ["use_blob_urls"]]
    labels = {
        field["name"]: field["label"] for row in api.get("/api/storages/export/redis/form").json() for field in row["fields"]
    }
    assert labels["db"] == "Database Number" and labels["path"] == "Bucket Prefix" and "can_delete_objects" in labels
