"""Every route of the service, and an example of every object a route can name; asks the URL configuration, no list of its own."""

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from django.db import models
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.views import APIView

from projects.models import Project
from storages.backends import BACKENDS
from storages.base import ExportStorage, ImportStorage
from storages.drafts import StorageDraft
from storages.fields import secret_names
from storages.links import Flag, ImportLink, ObjectState, key_digest
from storages.runs import ExportIssue, ExportRun, ImportIssue, ImportRun
from tasks.models import Annotation, Prediction, Task
from users import legacy_tokens, personal_tokens
from users.models import User

TYPE = "s3"  # of the storages in paths that are the same for all backends
SIDES = ("source", "target")
WORDS = {"type": (TYPE,), "side": SIDES}  # what parameters stand for that are no id
PARAMETER = re.compile(r"(.*?)<\w+:(\w+)>(.*)")
CANARY = "canary-of-alice"  # part of everything that only Alice's team may see
SECRET = "hidden-even-from-alice"  # in every secret setting that the fake of S3 does not look at
SETTINGS = "/projects/*/settings/storage/"
PASSED = {"verb": "list", "ok": True, "seconds": 0.1, "code": None, "field": None}  # a probe of the connection check


def routes(resolver: URLResolver | None = None, prefix: str = "/") -> Iterator[tuple[str, Callable[..., Any]]]:
    """Paths with their parameters, like ``/api/tasks/<int:pk>/``, and what answers there."""
    for entry in (resolver or get_resolver()).url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield path, entry.callback
        else:
            yield from routes(entry, path)


def is_page(view: Callable[..., Any]) -> bool:
    """Whether people without a session are sent from there to sign in."""
    return getattr(view, "for_members", False)


def is_api(view: Callable[..., Any]) -> bool:
    """Whether programs are answered there with the envelope of errors."""
    return issubclass(getattr(view, "view_class", object), APIView)


class Estate(NamedTuple):
    """What Alice owns: her objects by the part of a path before their id (``*``: an id before that), and a request that

    refers to all of them.
    """

    owned: dict[str, list[models.Model]]
    body: dict[str, Any]
    query: dict[str, Any]
    secrets: list[str]  # the first: her legacy key, the one that a page shows when it is asked to

    def paths(self, route: str, given: str = "") -> list[str]:
        """The route with Alice's ids filled in, in all ways. KeyError: it names an object that is missing here."""
        if (match := PARAMETER.match(route)) is None:
            return [route]
        before, name, rest = match.groups()
        filled = [(word, word) for word in WORDS.get(name, ())] or [(str(one.pk), "*") for one in self.owned[given + before]]
        return [before + value + more for value, kind in filled for more in self.paths(rest, given + before + kind)]

    def within(self, project: Project, *storages: models.Model) -> "Estate":
        """The same, but for the project in paths that begin with one, and perhaps for its source and its target in them."""
        own = {f"{SETTINGS}{side}/{TYPE}/": [storage] for side, storage in zip(SIDES, storages, strict=False)}
        return self._replace(owned=self.owned | own | {"/projects/": [project]})

    @property
    def form(self) -> dict[str, Any]:
        """The same as the fields of a form."""
        drafts = self.owned[f"{SETTINGS}drafts/"]
        return {"type": TYPE, "draft": drafts[0].pk, "key": "a.png", "which": "selected", "uri": "s3://data/a.png"}

    def snapshot(self) -> list[dict[str, Any] | None]:
        """Every column of every object she owns."""
        return [type(one)._base_manager.filter(pk=one.pk).values().first() for many in self.owned.values() for one in many]


def settle(alice: User, project: Project, s3_settings: dict[str, Any], directory: str, mark: str = CANARY) -> Estate:
    """Gives Alice one of everything; ``mark``, at most 50 characters, is in all texts."""
    Project.objects.filter(pk=project.pk).update(title=mark, description=mark)
    User.objects.filter(pk=alice.pk).update(first_name=mark, email=f"{mark}@harbour.example")
    data = {"image": "s3://data/a.png", "note": mark}
    task = Task.objects.create(project=project, inner_id=1, data=data, meta={"m": mark}, total_annotations=1, is_labeled=True)
    about = {"task": task, "project": project}
    annotation = Annotation.objects.create(**about, result=[{"note": mark}], completed_by=alice)
    prediction = Prediction.objects.create(**about, result=[{"note": mark}], model_version=mark)
    owned: dict[str, models.Model] = {
        "/api/projects/": project, "/projects/": project, "/api/tasks/": task, "/tasks/": task, "/api/users/": alice,
        "/api/annotations/": annotation, "/api/predictions/": prediction, "/projects/*/data/": task, "/organization/members/": alice,
    }  # fmt: skip
    settings = {"s3": s3_settings, "localfiles": {"path": directory}}
    for backend in BACKENDS.values():
        for model, place, more in ((backend.import_model, "", {"use_blob_urls": True}), (backend.export_model, "export/", {})):
            columns = more | dict.fromkeys(required_texts(model), mark) | dict.fromkeys(secret_names(model), SECRET)
            columns |= settings.get(backend.name, {}) | {"project": project, "title": mark, "description": mark}
            owned[f"/api/storages/{place}{backend.name}/"] = model.objects.create(**columns)
    source, target = (owned[f"/api/storages/{place}{TYPE}/"] for place in ("", "export/"))
    owned |= {f"{SETTINGS}source/{TYPE}/": source, f"{SETTINGS}target/{TYPE}/": target}
    owned |= past_syncs(source, target, task, mark)
    key = legacy_tokens.set_key(alice)
    refresh = personal_tokens.create_token(alice)
    owned |= {"legacy token": alice.legacy_token, "/user/account/token/": alice.personal_tokens.get()}
    ids = {"project": project.pk, "task": task.pk, "tasks": [task.pk], "ids": [annotation.pk]}
    selected = {"all": False, "included": [task.pk]}
    stored = {"id": source.pk, "path": directory, "selectedItems": selected, "result": [], "data": {"image": "x"}}
    uri = urlsafe_b64encode(b"s3://data/a.png").decode()
    query = ids | {"id": "delete_tasks", "fileuri": uri, "d": f"{directory.rpartition('/')[2]}/a.txt", "exportType": "JSON"}
    drafts = begun(alice, source, s3_settings, mark)
    secrets = [key, refresh, SECRET, *(s3_settings[name] for name in secret_names(type(source)) if name in s3_settings)]
    everything = {place: [one] for place, one in owned.items()} | {f"{SETTINGS}drafts/": drafts}
    return Estate(everything, s3_settings | ids | stored | {"refresh": refresh}, query, secrets)


def begun(alice: User, source: ImportStorage, s3_settings: dict[str, Any], mark: str) -> list[models.Model]:
    """Drafts of a source and of a target whose connections work, of one that does not, and of a change of ``source``."""
    report = {"ok": True, "probes": [PASSED | {"message": mark, "grant": mark}], "warnings": [{"message": mark}], "prefix": ""}
    secrets = dict.fromkeys(secret_names(type(source)), SECRET)
    wanted = [
        ("import", None, {}, True),
        ("export", None, {}, True),
        ("import", None, secrets, False),
        ("import", source.pk, {}, True),
    ]
    return [
        StorageDraft.objects.create(
            user=alice, project=source.project, direction=direction, type=TYPE, storage_id=storage,
            entered=json.dumps(s3_settings | {"title": mark} | entered), report=report | {"ok": ok, "policy": mark, "cors": mark},
        )
        for direction, storage, entered, ok in wanted
    ]  # fmt: skip


def past_syncs(source: ImportStorage, target: ExportStorage, task: Task, mark: str) -> dict[str, models.Model]:
    """A run that goes on in either direction, with an issue; a task whose object is gone and an object that failed."""
    runs = ImportRun.objects.create(storage_id=source.pk), ExportRun.objects.create(storage_id=target.pk)
    key = mark.ljust(1000, "k")  # most stores end at 1,024 bytes
    row = {"storage_id": source.pk, "key": key, "digest": key_digest(key)}
    found: dict[str, models.Model] = {
        "source's issue": ImportIssue.objects.create(run=runs[0], key=key, code="malformed", message=key),
        "target's issue": ExportIssue.objects.create(run=runs[1], key=key, code="malformed", message=key),
        "link": ImportLink.objects.create(**row, task=task, flag=Flag.VANISHED),
        "state": ObjectState.objects.create(**row, state=ObjectState.Progress.FAILED),
    }
    for run, side, place in zip(runs, SIDES, ("", "export/"), strict=True):
        found |= {f"/api/storages/{place}{TYPE}/*/runs/": run, f"{SETTINGS}{side}/{TYPE}/*/runs/": run}
    return found


def required_texts(model: type[models.Model]) -> list[str]:
    """The text columns that must hold something."""
    texts = [field for field in model._meta.concrete_fields if isinstance(field, models.TextField)]
    return [field.name for field in texts if not field.null and not field.has_default()]
