"""The world of imports with a web server beside it, and projects that are exported to a bucket of their own."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction

from projects.models import Project
from storages import jobs
from storages.base import ExportStorage
from storages.links import OutboxItem
from storages.runs import ACTIVE, ExportRun
from tasks.drafts import TaskDraft
from tasks.services import create_tasks
from tests.faults import world as worlds
from tests.faults.exports import web
from tests.faults.exports.web import Web
from tests.faults.world import CONFIG, EMAIL, World
from users import legacy_tokens
from users.models import User


@dataclass
class Target:
    """``storage`` is the id of a target over ``bucket``, in a project of its own with ``tasks``."""

    project: int
    storage: int
    bucket: str
    tasks: list[int]
    form: str
    may_delete: bool
    template: str = ""

    @property
    def path(self) -> str:
        return f"/api/storages/export/s3/{self.storage}"


@dataclass
class Port:
    """What a round of exports needs."""

    world: World
    web: Web

    def target(self, form: str, *, may_delete: bool, tasks: int = 6) -> Target:
        """One that was synced when it was created, over an empty bucket."""
        world, api = self.world, self.world.api()
        user = User.objects.get(email=EMAIL)
        self.web.token = legacy_tokens.show_key(user)
        bucket = world.bucket()
        project = Project.objects.create(title=bucket, label_config=CONFIG, organization=user.active_organization)
        with transaction.atomic():
            ids = create_tasks(project, [TaskDraft({"image": f"{bucket}/{number}.png"}) for number in range(tasks)])
        body = {"project": project.pk, "object_form": form, "can_delete_objects": may_delete, **world.connection(bucket)}
        answer = api.post("/api/storages/export/s3", body)
        assert answer.status_code == 201, answer.content
        target = Target(project.pk, answer.json()["id"], bucket, ids, form, may_delete)
        self.settle(target)
        world.store.requests.clear()
        return target

    def settle(self, target: Target, watch: Callable[[], Any] = lambda: None, seconds: float = 90) -> None:
        """Returns when nothing is left to deliver and no run is active; AssertionError when ``seconds`` are over."""
        end, rounds = time.monotonic() + seconds, 0.0
        while busy(target):
            assert time.monotonic() < end, f"{busy(target)} after {seconds} s; see {self.world.crew.log}"
            watch()
            if time.monotonic() > rounds:
                self.turn()
                rounds = time.monotonic() + 0.3
            time.sleep(0.02)
        self.world.settle()

    def turn(self) -> None:
        """What supervisor and scheduler do every few seconds."""
        self.web.mend()
        self.world.turn()

    def sync(self, target: Target) -> ExportRun:
        """A full sync without any trouble."""
        run = jobs.start_export(ExportStorage.objects.get(pk=target.storage))
        assert run is not None, "a run is under way already"
        self.settle(target)
        run.refresh_from_db()
        return run


def busy(target: Target) -> str:
    """What the target still has to do, "" if nothing."""
    waiting = OutboxItem.objects.filter(storage_id=target.storage).count()
    active = ExportRun.objects.filter(storage_id=target.storage, state__in=ACTIVE).count()
    closing = ExportStorage.objects.filter(pk=target.storage, project=None).count()
    return f"{waiting} objects to deliver, {active} runs, {closing} closing" if waiting or active or closing else ""


@contextmanager
def opened(directory: Path, workers: int = 2) -> Iterator[Port]:
    """A port on this process's database; it needs a directory of its own."""
    with worlds.opened(directory, workers=workers) as world:
        port = Port(world, web.beside(world.crew.env, directory))
        try:
            yield port
        finally:
            port.web.close()
