"""dbx:// URIs in task data without any sync, always through the proxy; and exports under a prefix."""

import json

import pytest

from tests.backends.databricks_volume import ROOT, ROUTE
from tests.backends.databricks_volume import body as body  # noqa: F401 - the fixture
from tests.backends.databricks_volume import fake as fake  # noqa: F401 - the fixture
from tests.storages.conftest import create as create  # noqa: F401 - the fixture
from tests.storages.conftest import sync as sync  # noqa: F401 - the fixture
from tests.storages.conftest import work as work  # noqa: F401 - the fixture
from tests.storages.media.asking import content
from tests.storages.targets import annotate as annotate  # noqa: F401 - the fixture
from tests.storages.targets import task as task  # noqa: F401 - the fixture

pytestmark = pytest.mark.django_db(transaction=True)
PICTURE = bytes(range(256)) * 8
NAME = "ima ges/1+1 é%25?#.png"


@pytest.fixture
def link(api, fake, body, project):
    """Makes a storage, imports a task that names a file of the volume, answers the link in the task's data."""

    def make(uri: str = f"dbx:/{ROOT}/{NAME}", **more) -> str:
        fake.put(f"{ROOT}/{NAME}", PICTURE)
        created = api.post(ROUTE, body(fake, **more))
        assert created.status_code == 201, created.content
        imported = api.post(f"/api/projects/{project.pk}/import", [{"data": {"image": uri}}])
        assert imported.status_code == 201, imported.content
        pk = project.tasks.get().pk
        return api.get(f"/api/tasks/{pk}/").json()["data"]["image"]

    return make


@pytest.mark.parametrize("presign", [True, False])
@pytest.mark.parametrize(
    "uri", [f"dbx:/{ROOT}/{NAME}", f"dbx://Volumes/MAIN/Default/dAta/{NAME}", f"dbx://volumes/main/default/data/{NAME}"]
)
def test_a_uri_in_task_data_is_served_by_the_proxy_without_a_sync(api, link, uri, presign):
    address = link(uri, presign=presign)
    assert "/resolve/?fileuri=" in address
    answer = api.get(address)
    assert (answer.status_code, content(answer), answer["Content-Type"]) == (200, PICTURE, "image/png")


@pytest.mark.parametrize(
    "uri",
    ["dbx://Volumes/main/default/other/a.png", "dbx://Volumes/main/default/data-2/a.png", f"dbx:/{ROOT}/out/a.png", f"dbx:/{ROOT}/in/../a",
     "dbx://main/default/data/in/a.png", f"dbx:/{ROOT}/IN/a.png"],
)  # fmt: skip
def test_a_uri_outside_of_the_storage_stays_as_it_is(fake, link, uri):
    fake.put(f"{ROOT}/in/b", b"x")
    assert link(uri, prefix="in") == uri


def test_a_missing_file_is_404_and_a_refused_one_403(api, fake, link):
    address = link()
    fake.delete(f"{ROOT}/{NAME}")
    assert api.get(address).status_code == 404
    fake.fail_next(status=403, code="PERMISSION_DENIED", match="/fs/files")
    assert api.get(address).status_code == 403


@pytest.mark.parametrize("deletes", [True, False])
def test_annotations_are_exported_under_the_prefix_and_deleted_if_allowed(
    api, fake, body, create, sync, work, project, task, annotate, deletes
):
    storage = create("export/databricks", body(fake, prefix="exports/${project_id}", can_delete_objects=deletes))
    pk = annotate(task, within=5)
    work()
    path = f"{ROOT}/exports/{project.pk}/{pk}"
    assert fake.paths() == [path] and json.loads(fake.get(path))["id"] == pk
    assert api.patch(f"/api/annotations/{pk}/", {"was_cancelled": True}).status_code == 200
    work()
    assert json.loads(fake.get(path))["was_cancelled"] is True, "written over"
    done = sync("export/databricks", storage["id"])
    assert (done["status"], done["last_sync_count"]) == ("completed", 1)
    assert api.delete(f"/api/annotations/{pk}/").status_code == 204
    work()
    assert fake.paths() == ([] if deletes else [path])


def test_a_sync_imports_every_file_of_the_folder(api, fake, body, create, sync, project):
    for number in range(9):
        fake.put(f"{ROOT}/in/{number % 3}/{number}.png", b"x")
    fake.put(f"{ROOT}/in-private/x.png", b"x")
    storage = create("databricks", body(fake, prefix="in", use_blob_urls=True, recursive_scan=True))
    done = sync("databricks", storage["id"])
    assert (done["status"], done["last_sync_count"]) == ("completed", 9)
    images = sorted(made.data["image"] for made in project.tasks.all())
    assert images == sorted(f"dbx:/{ROOT}/in/{number % 3}/{number}.png" for number in range(9))
