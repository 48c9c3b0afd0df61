"""A backend is one file and one registry line: this one lives in a dictionary, and everything else is derived.

What the README says under "Add a backend", done inside a test: the class bodies below are what the file would hold.
"""

import importlib

import pytest
from django.apps import apps
from django.db import connection, models
from django.urls import clear_url_caches

from storages import urls
from storages.backends import BACKENDS
from storages.base import Backend, ExportStorage, ImportStorage, Prefixed, Scanned
from storages.client import EVERYTHING, Capabilities, Client, ObjectInfo, ObjectStream, Page, Readable
from storages.errors import AccessDenied, NotFound
from storages.fields import SecretField
from storages.serializers import StorageSerializer, TargetSerializer
from tasks.models import Task

SHELVES: dict[str, dict[str, bytes]] = {}


class Memory(Readable):
    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, size: int = -1) -> bytes:
        size = len(self.data) if size < 0 else size
        piece, self.data = self.data[:size], self.data[size:]
        return piece

    def close(self) -> None:
        self.data = b""


class ShelfClient(Client):
    scheme = "shelf"
    capabilities = Capabilities(presign=False, versions=False)
    service, grants = "the shelf", {"list": "the key to shelf {container}"}

    def __init__(self, shelf: str, root: str, pin: str) -> None:
        self.container, self.root, self._pin = shelf, root, pin

    def list(self, *, recursive, after="", span=EVERYTHING):
        self.check_span(span)
        if self._pin != "1234":
            raise self.refusal(AccessDenied, "list")
        keys = [key for key in sorted(SHELVES[self.container]) if key.startswith(self.root) and key > after]
        keys = [key for key in keys if recursive or "/" not in key[len(self.root) :]]
        yield Page([self.stat(key) for key in keys], "")

    def stat(self, key):
        if key not in SHELVES[self.container]:
            raise NotFound(f"no {key}")
        return ObjectInfo(key, len(SHELVES[self.container][key]), None)

    def open(self, key, start=0, end=None):
        info = self.stat(key)
        last = info.size - 1 if end is None else min(end, info.size - 1)
        return ObjectStream(info, start, last, Memory(SHELVES[self.container][key][start : last + 1]))

    def write(self, key, data, content_type="application/json"):
        SHELVES[self.container][key] = data

    def delete(self, key):
        SHELVES[self.container].pop(key, None)


class ShelfColumns(Prefixed):
    shelf = models.TextField("Shelf")
    pin = SecretField("PIN", null=True, blank=True)
    backend_name = "shelf"

    class Meta:
        abstract = True

    def client(self) -> ShelfClient:
        return ShelfClient(self.shelf, self.root, self.pin or "")


@pytest.fixture
def shelf(transactional_db):
    """Declares the backend, makes its tables and routes, and takes everything away again."""

    class ShelfImportStorage(ShelfColumns, Scanned, ImportStorage):
        class Meta:
            app_label = "storages"

    class ShelfExportStorage(ShelfColumns, ExportStorage):
        class Meta:
            app_label = "storages"

    class ShelfImportSerializer(StorageSerializer):
        class Meta(StorageSerializer.Meta):
            model = ShelfImportStorage

    class ShelfExportSerializer(TargetSerializer):
        class Meta(TargetSerializer.Meta):
            model = ShelfExportStorage

    declaration = Backend(
        name="shelf",
        title="Shelf",
        scheme="shelf",
        import_model=ShelfImportStorage,
        export_model=ShelfExportStorage,
        import_serializer=ShelfImportSerializer,
        export_serializer=ShelfExportSerializer,
        import_form=(("title*",), ("shelf*", "pin")),
        export_form=(("title*",), ("shelf*", "pin")),
    )
    registered = {"shelfimportstorage": ShelfImportStorage, "shelfexportstorage": ShelfExportStorage}
    with connection.schema_editor() as editor:
        for model in registered.values():
            editor.create_model(model)
    BACKENDS["shelf"] = declaration
    reload_routes()
    SHELVES["one"] = {f"p/{number}.txt": b"x" * number for number in range(5)} | {"other.txt": b""}
    yield declaration
    del BACKENDS["shelf"], SHELVES["one"]
    with connection.schema_editor() as editor:
        for model in registered.values():
            editor.delete_model(model)
    for name in registered:
        del apps.all_models["storages"][name]
    apps.clear_cache()
    for parent in (ImportStorage, ExportStorage):
        delattr(parent, f"shelf{parent.__name__.lower()}")
    reload_routes()


def reload_routes() -> None:
    import config.urls

    importlib.reload(urls)
    importlib.reload(config.urls)
    clear_url_caches()


def test_one_declaration_gives_routes_forms_doctor_sync_media_and_export(shelf, api, project, create, sync, work):
    assert {"name": "shelf", "title": "Shelf"} in api.get("/api/storages/types").json()
    form = api.get("/api/storages/shelf/form").json()
    names = [[field["name"] for field in row["fields"]] for row in form]
    assert names[:2] == [["title"], ["shelf", "pin"]] and ["sync_schedule", "sync_timezone"] in names[2:]
    settings = {"project": project.pk, "shelf": "one", "prefix": "p", "pin": "1234"}
    refused = api.post("/api/storages/shelf/validate", settings | {"pin": "0"})
    assert refused.json()["connection"] == {
        "code": "no_permission",
        "verb": "list",
        "field": None,
        "grant": "the key to shelf one",
    }
    probes = api.post("/api/storages/shelf/doctor", settings | {"pin": "0"}).json()["probes"]
    assert [(probe["verb"], probe["ok"]) for probe in probes] == [("list", False), ("read", None)]
    source = create("shelf", settings, use_blob_urls=True, recursive_scan=True)
    assert source["type"] == "shelf" and "pin" not in source
    assert sync("shelf", source["id"])["last_sync_count"] == 5
    assert [one["id"] for one in api.get(f"/api/storages/?project={project.pk}").json()] == [source["id"]]
    (run,) = api.get(f"/api/storages/shelf/{source['id']}/runs").json()["results"]
    assert (run["type"], run["state"], run["counters"]["new"]) == ("shelf", "completed", 5)
    task = Task.objects.order_by("id").last()
    data = api.get(f"/api/tasks/{task.pk}/").json()["data"]
    media = api.get(next(iter(data.values())), headers={"Range": "bytes=1-2"})
    assert (media.status_code, b"".join(media.streaming_content), media["Content-Range"]) == (206, b"xx", "bytes 1-2/4")
    target = create("export/shelf", settings | {"prefix": "out"}, can_delete_objects=True)
    annotation = api.post(f"/api/tasks/{task.pk}/annotations/", {"result": []}).json()["id"]
    work()
    assert f"out/{annotation}" in SHELVES["one"]
    api.delete(f"/api/annotations/{annotation}/")
    work()
    assert f"out/{annotation}" not in SHELVES["one"]
    assert api.delete(f"/api/storages/shelf/{source['id']}").status_code == 204
    assert api.delete(f"/api/storages/export/shelf/{target['id']}").status_code == 204
