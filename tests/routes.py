"""Every route of the service, and an example of every object a route can name; asks the URL configuration, no list of its own."""

import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db import models
from django.urls import URLPattern, URLResolver, get_resolver

from projects.models import Project
from storages.backends import BACKENDS
from storages.base import ExportStorage, ImportStorage
from storages.links import Flag, ImportLink, ObjectState, key_digest
from storages.runs import ExportIssue, ExportRun, ImportIssue, ImportRun
from tasks.models import Annotation, Prediction, Task
from users import legacy_tokens, personal_tokens
from users.models import User

TYPE = "s3"  # of the storages in paths that are the same for all backends
CANARY = "canary-of-alice"  # part of everything that only Alice's team may see


def routes(resolver: URLResolver | None = None, prefix: str = "/") -> Iterator[str]:
    """Paths with their parameters, like ``/api/tasks/<int:pk>/``."""
    for entry in (resolver or get_resolver()).url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield path
        else:
            yield from routes(entry, path)


class Estate(NamedTuple):
    """What Alice owns: her objects by the part of a path before their id (``*``: an id before that), and a request that

    refers to all of them.
    """

    owned: dict[str, models.Model]
    body: dict[str, Any]
    query: dict[str, Any]

    def path(self, route: str) -> str:
        """The route with Alice's ids filled in. KeyError: a route names an object that is missing here."""
        path, given, rest = "", "", route
        while match := re.match(r"(.*?)(<int:\w+>|<str:type>)", rest):
            given, rest = given + match[1], rest[match.end() :]
            path += match[1] + (TYPE if match[2] == "<str:type>" else str(self.owned[given].pk))
            given += TYPE if match[2] == "<str:type>" else "*"
        return path + rest

    def snapshot(self) -> list[dict[str, Any] | None]:
        """Every column of every object she owns."""
        return [type(one)._base_manager.filter(pk=one.pk).values().first() for one in self.owned.values()]


def settle(alice: User, project: Project, s3_settings: dict[str, Any], directory: str) -> Estate:
    """Gives Alice one of everything."""
    Project.objects.filter(pk=project.pk).update(title=CANARY, description=CANARY)
    User.objects.filter(pk=alice.pk).update(first_name=CANARY, email=f"{CANARY}@harbour.example")
    data = {"image": "s3://data/a.png", "note": CANARY}
    task = Task.objects.create(project=project, inner_id=1, data=data, meta={"m": CANARY}, total_annotations=1, is_labeled=True)
    mark = {"task": task, "project": project}
    annotation = Annotation.objects.create(**mark, result=[{"note": CANARY}], completed_by=alice)
    prediction = Prediction.objects.create(**mark, result=[{"note": CANARY}], model_version=CANARY)
    owned: dict[str, models.Model] = {
        "/api/projects/": project, "/projects/": project, "/api/tasks/": task, "/tasks/": task, "/api/users/": alice,
        "/api/annotations/": annotation, "/api/predictions/": prediction,
    }  # fmt: skip
    settings = {"s3": s3_settings, "localfiles": {"path": directory}}
    for backend in BACKENDS.values():
        required = dict.fromkeys(required_texts(backend.import_model), CANARY)
        columns = required | settings.get(backend.name, {}) | {"project": project, "title": CANARY, "description": CANARY}
        owned[f"/api/storages/{backend.name}/"] = backend.import_model.objects.create(**columns, use_blob_urls=True)
        owned[f"/api/storages/export/{backend.name}/"] = backend.export_model.objects.create(**columns)
    owned |= past_syncs(owned["/api/storages/s3/"], owned["/api/storages/export/s3/"], task)
    legacy_tokens.set_key(alice)
    refresh = personal_tokens.create_token(alice)
    owned |= {"legacy token": alice.legacy_token, "personal token": alice.personal_tokens.get()}
    ids = {"project": project.pk, "task": task.pk, "tasks": [task.pk], "ids": [annotation.pk]}
    selected = {"all": False, "included": [task.pk]}
    stored = {
        "id": owned["/api/storages/s3/"].pk,
        "path": directory,
        "selectedItems": selected,
        "result": [],
        "data": {"image": "x"},
    }
    uri = urlsafe_b64encode(b"s3://data/a.png").decode()
    query = ids | {"id": "delete_tasks", "fileuri": uri, "d": f"{directory.rpartition('/')[2]}/a.txt", "exportType": "JSON"}
    return Estate(owned, s3_settings | ids | stored | {"refresh": refresh}, query)


def past_syncs(source: ImportStorage, target: ExportStorage, task: Task) -> dict[str, models.Model]:
    """A run that goes on in either direction, with an issue; a task whose object is gone and an object that failed."""
    runs = ImportRun.objects.create(storage_id=source.pk), ExportRun.objects.create(storage_id=target.pk)
    row = {"storage_id": source.pk, "key": CANARY, "digest": key_digest(CANARY)}
    return {
        "/api/storages/s3/*/runs/": runs[0],
        "/api/storages/export/s3/*/runs/": runs[1],
        "source's issue": ImportIssue.objects.create(run=runs[0], key=CANARY, code="malformed", message=CANARY),
        "target's issue": ExportIssue.objects.create(run=runs[1], key=CANARY, code="malformed", message=CANARY),
        "link": ImportLink.objects.create(**row, task=task, flag=Flag.VANISHED),
        "state": ObjectState.objects.create(**row, state=ObjectState.Progress.FAILED),
    }


def required_texts(model: type[models.Model]) -> list[str]:
    """The text columns that must hold something."""
    texts = [field for field in model._meta.concrete_fields if isinstance(field, models.TextField)]
    return [field.name for field in texts if not field.null and not field.has_default()]
