"""Targets that refuse: what is told of each annotation, and that everything arrives once the cause is gone."""

import json
import os
import time
import uuid
from pathlib import Path

import pytest

from storages import outbox
from storages.backends import BACKENDS
from storages.base import ExportStorage
from storages.errors import NotFound
from storages.fields import secret_names
from storages.links import OutboxItem
from storages.providers import http
from tasks.models import Annotation, Task
from tasks.payloads import annotation_payloads
from tests.backends.boxes import HARNESSES
from tests.backends.troubles import DELETING, TROUBLES, WRITING, hide, unmount
from tests.storages.conftest import create as create  # noqa: F401 - the fixture
from tests.storages.conftest import tick as tick  # noqa: F401 - the fixture
from tests.storages.conftest import work as work  # noqa: F401 - the fixture
from tests.storages.targets import annotate as annotate  # noqa: F401 - the fixture

pytestmark = pytest.mark.django_db(transaction=True)
CHANGED = [{"from_name": "kind", "to_name": "image", "type": "choices", "value": {"choices": ["dog"]}}]
CONTAINERS = [name for name in BACKENDS if name != "redis"]  # a database of Redis cannot be missing


class Target:
    """A target on a container of its own, two annotations in it, and trouble that begins and ends on demand."""

    def __init__(self, backend, api, create, work, tick, annotate, project):
        self.api, self.work, self.tick, self.project, self._annotate = api, work, tick, project, annotate
        root = Path(os.environ["LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"])
        self.box = HARNESSES[backend](root / f"refusing-{uuid.uuid4().hex[:8]}")
        self.patch, self.route = pytest.MonkeyPatch(), f"/api/storages/export/{backend}"
        self.body = {"project": project.pk, "title": "Labels", "can_delete_objects": True}
        self._create, self.switch = create, None

    def make(self, **settings):
        self.body |= self.box.settings("out/") | settings
        self.pk = self._create(self.route.removeprefix("/api/storages/"), self.body)["id"]
        self.work()
        self.made = [self.annotate(), self.annotate()]
        self.work()
        assert self.right()
        return self.made

    def annotate(self):
        """An annotation of a task of its own: a second one would change what the first one's object tells of the task."""
        return self._annotate(
            Task.objects.create(project=self.project, inner_id=Task.objects.count() + 1, data={"image": "s3://data/a.png"}),
            within=10,
        )

    def begin(self, switch):
        self.switch = switch
        switch(self.box, self.patch, True)

    def end(self):
        if self.switch:
            self.patch.undo()
            self.switch(self.box, self.patch, False)
        self.switch = None

    def sync(self, action="sync"):
        """The run that ``action`` began, when it has ended."""
        answer = self.api.post(f"{self.route}/{self.pk}/{action}")
        assert answer.status_code in (200, 201, 202), answer.content
        self.work()
        return self.api.get(f"{self.route}/{self.pk}/runs").json()["results"][0]

    def issues(self, run):
        found = self.api.get(f"{self.route}/{self.pk}/runs/{run['id']}/issues").json()["results"]
        told = json.dumps([found, self.api.get(f"{self.route}/{self.pk}").json()])
        secrets = [self.body.get(name) for name in secret_names(BACKENDS[self.box.name].export_model)]
        assert not [secret for secret in secrets if secret and json.dumps(secret)[1:-1] in told]
        return {int(issue["key"]): (issue["code"], issue["message"]) for issue in found}

    def right(self):
        """Whether the container holds just what the database says, byte by byte."""
        wanted = {pk: json.dumps(payload, separators=(",", ":")) for pk, _, payload in annotation_payloads(self.all())}
        held = {pk: self.box.get(f"out/{pk}") for pk in self.all() | set(self.made)}
        return {pk: body.decode() for pk, body in held.items() if body is not None} == wanted

    def all(self):
        return set(Annotation.objects.values_list("id", flat=True))

    def change(self, pk):
        assert self.api.patch(f"/api/annotations/{pk}/", {"result": CHANGED}).status_code == 200

    def close(self):
        try:
            self.end()
        finally:
            unmount(getattr(self.box, "directory", Path("/nowhere")))
            self.box.close()


@pytest.fixture
def on(api, create, work, tick, annotate, project, monkeypatch):
    """``on("s3")``: a target that is tried again at once."""
    monkeypatch.setattr(outbox, "BACK_OFF", (0.1, 0.1, 0.1))
    monkeypatch.setattr(http, "RETRIES", 0)
    made = []

    def target(backend):
        made.append(Target(backend, api, create, work, tick, annotate, project))
        return made[-1]

    yield target
    for one in made:
        one.close()


@pytest.mark.parametrize("name", list(TROUBLES))
def test_each_refusal_is_told_and_what_was_refused_arrives_with_a_retry_or_by_itself(on, name):
    trouble = TROUBLES[name]
    target = on(trouble.backend)
    trouble.prepare(target.box)
    target.make(**trouble.settings)
    target.begin(trouble.switch)
    target.change(target.made[0])
    new = target.annotate()
    run = target.sync()
    assert run["state"] == "completed_with_errors"
    assert (run["counters"]["failed"], run["counters"]["listed"]) == (3, 3)
    assert (target.box.get(f"out/{new}") is not None) is trouble.keeps
    issues = target.issues(run)
    assert set(issues) == {*target.made, new} and {code for code, _ in issues.values()} == {trouble.code}
    assert all(trouble.says in message for _, message in issues.values()), issues
    assert not target.right()
    target.end()
    assert target.sync("retry")["state"] == "completed"
    assert target.right() and not OutboxItem.objects.exists()
    target.begin(trouble.switch)  # once more, and nobody presses anything
    target.change(target.made[1])
    target.work()
    assert OutboxItem.objects.get().attempts >= 1 and not target.right()
    target.end()
    time.sleep(0.1)
    target.tick()
    assert target.right() and not OutboxItem.objects.exists()


@pytest.mark.parametrize("backend", list(WRITING))
def test_a_missing_permission_is_named_with_its_grant_before_a_target_is_saved(on, api, backend):
    target, (switch, verb, grant) = on(backend), WRITING[backend]
    target.body |= target.box.settings("out/")
    target.begin(switch)
    for route in (f"{target.route}/validate", target.route):
        answer = api.post(route, target.body)
        told = answer.json()
        assert answer.status_code == 400, told
        assert (told["connection"]["code"], told["connection"]["verb"]) == ("no_permission", verb)
        assert grant in told["connection"]["grant"]
        assert told["connection"]["grant"] in json.dumps(told["validation_errors"], ensure_ascii=False)
    assert not ExportStorage.objects.exists()


@pytest.mark.parametrize("backend", list(DELETING))
def test_a_failed_delete_blocks_nobody_and_is_tried_until_it_works(on, api, backend):
    target, (switch, code, says) = on(backend), DELETING[backend]
    first, second = target.make()
    target.box.put("out/999999999", b"somebody else's")
    target.begin(switch)
    began = time.monotonic()
    assert api.delete(f"/api/annotations/{first}/").status_code == 204
    assert time.monotonic() - began < 5
    target.work()
    assert target.box.get(f"out/{first}") and OutboxItem.objects.get().attempts >= 1
    run = target.sync("retry")
    assert run["state"] == "completed_with_errors"
    [(told, message)] = target.issues(run).values()
    assert told == code and says in message, message
    target.end()
    assert target.sync("retry")["state"] == "completed"
    assert target.right() and not OutboxItem.objects.exists()
    assert target.box.get("out/999999999") == b"somebody else's" and target.box.get(f"out/{second}")


@pytest.mark.parametrize("backend", CONTAINERS)
def test_what_happens_while_a_container_is_gone_is_caught_up_when_it_is_back(on, api, backend):
    target = on(backend)
    first, second = target.make()
    target.begin(hide)
    target.change(first)
    new = target.annotate()
    assert api.delete(f"/api/annotations/{second}/").status_code == 204
    target.work()
    assert {item.subject for item in OutboxItem.objects.filter(attempts__gt=0)} == {first, second, new}
    answer = api.post(f"{target.route}/{target.pk}/sync")
    told = "misconfigured" if backend == "localfiles" else "not_found"
    assert answer.status_code == 400 and answer.json()["connection"]["code"] == told
    run = api.get(f"{target.route}/{target.pk}/runs").json()["results"][0]
    assert run["state"] == "failed" and api.get(f"{target.route}/{target.pk}").json()["status"] == "failed"
    target.end()
    assert target.sync("retry")["state"] == "completed"
    assert target.right() and not OutboxItem.objects.exists()


@pytest.mark.parametrize("backend", CONTAINERS)
def test_a_container_that_vanishes_in_the_middle_is_said_to_be_missing_and_not_made_anew(on, backend):
    target = on(backend)
    target.make()
    client = ExportStorage.objects.get(pk=target.pk).concrete().client()
    target.begin(hide)
    key = target.box.key("out/1")
    for change in (lambda: client.write(key, b"{}"), lambda: client.delete(key)):
        with pytest.raises(NotFound) as missing:
            change()
        assert key.rsplit("/", 1)[-1] not in str(missing.value).rsplit("/", 1)[-1], "the container is missing, not the object"
    target.end()
    assert target.right()


def test_a_bucket_with_object_lock_takes_what_is_written(on):
    target = on("s3")
    target.box.fake.lock_objects("data")
    target.make()
    target.change(target.made[0])
    target.work()
    assert target.right()
