"""Everything that a round needs: store, queue, workers, an account, and the scheduler's rounds until a run has ended."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.test import override_settings
from rest_framework.test import APIClient

from projects.models import Project
from storages import jobs, status
from storages.base import ImportStorage
from storages.runs import ImportRun
from tests.environment import start_redis, wait_for_port
from tests.faults import orders
from tests.faults.crew import Crew
from tests.faults.store import HarbourStore
from tests.faults.things import Thing
from users.models import Organization, OrganizationMember, User

LEASE = 2  # seconds without a sign of life until a worker counts as dead
CONFIG = '<View><Image name="image" value="$image"/><Choices name="kind" toName="image"><Choice value="cat"/></Choices></View>'
EMAIL = "harbour-master@harbour.example"
_names = count(1)


@dataclass
class World:
    """``directory`` is shared with the workers; ``queue`` is the process of the queue's server."""

    store: HarbourStore
    crew: Crew
    queue: subprocess.Popen
    directory: Path
    buckets: dict[int, str] = field(default_factory=dict)

    def api(self) -> APIClient:
        """Signed in as the one account there is."""
        user = User.objects.filter(email=EMAIL).first()
        if user is None:
            team = Organization.objects.create(title="Harbour")
            user = User.objects.create_user(EMAIL, "a-long-password-1", active_organization=team)
            OrganizationMember.objects.create(user=user, organization=team)
        client = APIClient()
        client.force_authenticate(user)
        return client

    def storage(self, **options: Any) -> ImportStorage:
        """A source in a project of its own, over an empty bucket of its own."""
        api, bucket = self.api(), self.bucket()
        team = User.objects.get(email=EMAIL).active_organization
        project = Project.objects.create(title=bucket, label_config=CONFIG, organization=team)
        body = {"project": project.pk, "recursive_scan": True, **self.connection(bucket), **options}
        answer = api.post("/api/storages/s3/", body)
        assert answer.status_code == 201, answer.content
        pk = answer.json()["id"]
        self.buckets[pk] = bucket
        return ImportStorage.objects.get(pk=pk)

    def bucket(self) -> str:
        """A new one, empty."""
        name = f"bucket-{next(_names)}"
        self.store.create_bucket(name)
        return name

    def connection(self, bucket: str) -> dict[str, str]:
        """The settings of a storage over ``bucket``."""
        keys = {"aws_access_key_id": self.store.access_key, "aws_secret_access_key": self.store.secret_key}
        return {"bucket": bucket, "s3_endpoint": self.store.url, **keys}

    def put(self, storage: ImportStorage, things: list[Thing]) -> None:
        for thing in things:
            self.store.put(self.buckets[storage.pk], thing.key, thing.body)

    def finish(self, run: ImportRun, seconds: float = 120, watch: Callable[[], Any] = lambda: None) -> ImportRun:
        """The run when it has ended; until then workers are started anew and the scheduler makes its rounds.

        ``watch`` is called in between. Raises AssertionError when ``seconds`` are over.
        """
        end, rounds = time.monotonic() + seconds, 0.0
        while True:
            run.refresh_from_db()
            if not run.active:
                break
            assert time.monotonic() < end, f"run {run.pk} has not ended after {seconds} s; see {self.crew.log}"
            watch()
            if time.monotonic() > rounds:
                self.turn()
                rounds = time.monotonic() + 0.4
            time.sleep(0.02)
        self.settle()
        return run

    def turn(self) -> None:
        """What supervisor and scheduler do every few seconds."""
        self.crew.mend()
        self.crew.forget_dead_jobs()
        jobs.tick()

    def settle(self, seconds: float = 30) -> None:
        """Returns when no job runs any more."""
        end = time.monotonic() + seconds
        while not self.crew.idle():
            assert time.monotonic() < end, "a job goes on although its run has ended"
            time.sleep(0.02)

    def lose_queue(self) -> None:
        """SIGKILL; the next server on the same port begins empty."""
        self.queue.kill()
        self.queue.wait(10)
        time.sleep(0.5)
        self.queue = subprocess.Popen(self.queue.args, stdout=subprocess.DEVNULL)
        wait_for_port(int(self.queue.args[self.queue.args.index("--port") + 1]), self.queue)

    def calm(self) -> None:
        """Takes every trouble back that was ordered."""
        orders.cancel(self.directory)
        self.store.heal()
        self.store.meet, self.store.repeat = lambda event: None, None
        self.store.set_page(50)
        self.crew.forget_jobs()


def database_url() -> str:
    """The database that this process uses, for its workers."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    address, _, options = os.environ["DATABASE_URL"].partition("?")
    return f"{address.rsplit('/', 1)[0]}/{name}" + (f"?{options}" if options else "")


@contextmanager
def opened(directory: Path, workers: int = 2, lease: int = LEASE) -> Iterator[World]:
    """A world on this process's database; it needs a directory of its own."""
    queue, url = start_redis()
    queues = {name: {**values, "URL": url} for name, values in settings.RQ_QUEUES.items()}
    dead_after, status.DEAD_AFTER = status.DEAD_AFTER, lease
    try:
        with HarbourStore() as store, override_settings(RQ_QUEUES=queues):
            crew = Crew(workers, url, database_url(), directory, lease)
            world = World(store, crew, queue, directory)
            try:
                yield world
            finally:
                crew.close()
                queue = world.queue  # the present one
    finally:
        status.DEAD_AFTER = dead_after
        queue.kill()
        queue.wait(10)
