"""The last state of an annotation wins, however its changes and two workers that wait for a slow target fall together."""

import json
import random
import threading
import time

import pytest
from django.db import connection
from django.utils import timezone

from storages import jobs, outbox
from storages.base import ExportStorage
from storages.links import ExportLink, OutboxItem
from tasks.models import Annotation, Task
from tests.conftest import client_of
from tests.storages.targets import RESULT

pytestmark = pytest.mark.django_db(transaction=True)
STEPS, SLOW = 25, (0.0, 0.005, 0.03)


class Slow:
    """Stands before the answers of a fake: each takes another time, before and after it is carried out."""

    def __init__(self, s3, seed):
        self.inner, self.dice = s3.around, random.Random(seed)

    def __call__(self, request, *rest):
        time.sleep(self.dice.choice(SLOW))
        answer = self.inner(request, *rest)
        time.sleep(self.dice.choice(SLOW))
        return answer


def deliver_until(done, pk, trouble):
    try:
        while not done.is_set():
            jobs.deliver_outbox(pk)
            time.sleep(0.002)
    except Exception as error:  # noqa: BLE001 - told by the test
        trouble.append(error)
    finally:
        connection.close()


def change(api, dice, tasks, alive):
    """One step of a user: something is made, changed or deleted; of what there is, the newest most of all."""
    what = dice.choice(["create", "update", "update", "update", "delete", "bulk"])
    if what == "create" or not alive:
        body = {"result": RESULT, "lead_time": dice.random()}
        alive.append(api.post(f"/api/tasks/{dice.choice(tasks)}/annotations/", body).json()["id"])
    elif what == "bulk":
        alive += [one["id"] for one in api.post("/api/annotations/bulk/", {"tasks": tasks, "result": RESULT}).json()]
    elif what == "update":
        answer = api.patch(f"/api/annotations/{dice.choice(alive[-3:])}/", {"lead_time": dice.random()})
        assert answer.status_code == 200, answer.content
    else:
        assert api.delete(f"/api/annotations/{alive.pop(dice.randrange(len(alive)))}/").status_code == 204


@pytest.mark.parametrize("form", ["annotation", "task"])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_last_state_wins_over_random_interleavings(seed, form, create, s3, s3_settings, project, alice, work, monkeypatch):
    pk = create("export/s3", s3_settings, object_form=form, can_delete_objects=True)["id"]
    work()
    monkeypatch.setattr(outbox, "CHUNK", 2)
    monkeypatch.setattr(s3, "around", Slow(s3, seed))
    tasks = [Task.objects.create(project=project, inner_id=n, data={"image": "x"}).pk for n in range(2)]
    api, dice, done, alive, trouble = client_of(alice), random.Random(seed), threading.Event(), [], []
    workers = [threading.Thread(target=deliver_until, args=(done, pk, trouble)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for _ in range(STEPS):
        change(api, dice, tasks, alive)
        time.sleep(dice.choice(SLOW))
    limit = time.monotonic() + 20
    while OutboxItem.objects.exists() and time.monotonic() < limit:
        OutboxItem.objects.filter(claim="").update(due=timezone.now())
        ExportStorage.objects.update(resting_until=None)
        time.sleep(0.02)
    done.set()
    for worker in workers:
        worker.join(20)
    assert trouble == [] and not OutboxItem.objects.exists()
    assert written(s3, form) == wanted(form) and len(alive) == Annotation.objects.count()
    assert set(ExportLink.objects.values_list("key", flat=True)) == set(s3.keys("data"))


def written(s3, form):
    objects = {key: json.loads(s3.get("data", key)) for key in s3.keys("data")}
    if form == "annotation":
        return {key: body["lead_time"] for key, body in objects.items()}
    return {key: {one["id"]: one["lead_time"] for one in body["annotations"]} for key, body in objects.items()}


def wanted(form):
    rows = Annotation.objects.order_by("id").values_list("id", "task_id", "lead_time")
    if form == "annotation":
        return {str(pk): lead for pk, _, lead in rows}
    found: dict[str, dict[int, float]] = {}
    for pk, task, lead in rows:
        found.setdefault(f"{task}.json", {})[pk] = lead
    return found
