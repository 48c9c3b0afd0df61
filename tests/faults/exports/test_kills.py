"""Web server and workers killed while annotations are saved. In full: ``python -m tests.faults --exports --kills 60``."""

import os
import random
import time

import pytest

from storages.base import ExportStorage
from storages.links import OutboxItem
from storages.runs import ACTIVE, ExportRun
from tests.e2e.server import until
from tests.faults import orders
from tests.faults.exports import truth
from tests.faults.exports.editor import Editor
from tests.faults.exports.port import Port, Target
from tests.faults.exports.rounds import play
from tests.faults.orders import Order
from tests.faults.points import in_flight

QUICK = 1.5  # seconds that a save may take on a machine that does much else; one that waited for the target would need more
LAST_LOOK = 'FROM "storages_exportstorage" LEFT OUTER JOIN "storages_outboxitem"'  # for closing targets that are done
KILLS = 2  # of a scene
SHORT = ["annotations", "no deletions", "project deleted", "all at once"]  # the other scenes are parts of the last one


@pytest.mark.parametrize("scene", SHORT)
def test_whatever_is_killed_the_bucket_equals_the_database(port: Port, scene: str) -> None:
    seed = int(os.environ.get("FAULTS_SEED") or random.randrange(10**9))
    played = play(port, scene, seed, kills=KILLS)
    how = f"python -m tests.faults --exports --scene '{scene}' --seed {seed} --rounds 1"
    assert not played.wrong, f"{how}\n{played.line(1)}\n" + "\n".join(played.wrong)


@pytest.mark.parametrize(
    "after", ["COMMIT", 'INSERT INTO "storages_exportlink" .*DO NOTHING', 'DELETE FROM "storages_outboxitem"']
)
def test_an_object_arrives_although_its_worker_died_at_each_step(port: Port, after: str) -> None:
    target = port.target("annotation", may_delete=True)
    editor = Editor(port, target, random.Random(1))
    orders.place(port.world.directory, Order("after", after, role="worker"))
    editor.create()
    port.settle(target)
    assert orders.fired(port.world.directory), "no worker died"
    assert editor.wrong + truth.lost(target, editor.known) + truth.differences(port, target, exact=True) == []


def test_what_a_dead_worker_wrote_goes_when_its_annotation_does(port: Port) -> None:
    target = port.target("annotation", may_delete=True)
    point = in_flight(port.world, "written", random.Random(0), 1, whole=False)
    editor = Editor(port, target, random.Random(5))
    editor.create()
    until(lambda: point.hit, 20, "the worker is dead")
    assert len(truth.objects(port, target)) == 1, "written, and nobody had time to note it"
    editor.delete()
    port.settle(target)
    assert truth.objects(port, target) == {} and truth.differences(port, target, exact=True) == []


def test_a_change_saved_while_its_object_is_written_is_written_too(port: Port) -> None:
    target = port.target("annotation", may_delete=True)
    editor, changed = Editor(port, target, random.Random(6)), []

    def change(event: str) -> None:
        if event == "written" and editor.known and not changed:
            changed.append(port.web.send("PATCH", f"/api/annotations/{next(iter(editor.known))}/", {"lead_time": 99.0}))

    editor.create()
    port.settle(target)
    port.world.store.meet = change
    editor.edit()
    port.settle(target)
    assert [answer.status for answer in changed] == [200] and truth.differences(port, target, exact=True) == []


def test_a_save_whose_server_died_before_the_queue_knew_arrives(port: Port) -> None:
    target = port.target("task", may_delete=True)
    orders.place(port.world.directory, Order("after", 'INSERT INTO "storages_outboxitem"', role="web"))
    editor = Editor(port, target, random.Random(2))
    editor.create()
    assert orders.fired(port.world.directory) and not editor.known
    assert not OutboxItem.objects.filter(storage_id=target.storage).exists(), "neither saved nor recorded"
    orders.place(port.world.directory, Order("after", "COMMIT", role="web"))
    editor.create()
    assert orders.fired(port.world.directory) and not editor.known
    assert OutboxItem.objects.filter(storage_id=target.storage).exists(), "saved and recorded; nobody was told"
    port.settle(target)
    assert len(truth.objects(port, target)) == 1 and truth.differences(port, target, exact=True) == []


def test_saves_are_quick_while_the_target_is_dead_and_nothing_is_lost(port: Port) -> None:
    target = port.target("annotation", may_delete=True)
    editor = Editor(port, target, random.Random(3))
    editor.create()
    port.world.store.refuse_all()
    editor.slowest, end = 0.0, time.monotonic() + 4
    while time.monotonic() < end:
        editor.act()
        port.turn()
    tried_again = OutboxItem.objects.filter(storage_id=target.storage, attempts__gt=1)
    end = time.monotonic() + 60
    while not tried_again.exists():  # every edit before set the tries of its object back to none
        assert time.monotonic() < end, "it was not tried again"
        port.turn()
    assert editor.slowest < QUICK and editor.wrong == []
    port.world.store.heal()
    port.settle(target)
    assert truth.lost(target, editor.known) + truth.differences(port, target) == []


def test_a_deleted_projects_target_goes_although_its_worker_died_after_the_last_object(port: Port) -> None:
    target = port.target("annotation", may_delete=True)
    editor = Editor(port, target, random.Random(4))
    editor.create()
    port.settle(target)
    port.world.store.refuse_all()
    editor.drop_project()
    orders.place(port.world.directory, Order("before", LAST_LOOK, role="worker"))
    port.world.store.heal()
    port.settle(target, seconds=20)
    assert orders.fired(port.world.directory), "no worker died"
    assert not ExportStorage.objects.filter(pk=target.storage).exists() and truth.objects(port, target) == {}


def test_a_targets_first_sync_is_gone_on_with_when_its_worker_died_before_it_had_noted_anything(port: Port) -> None:
    old = port.target("annotation", may_delete=True)
    editor = Editor(port, old, random.Random(1))
    for _ in range(5):
        editor.create()
    port.settle(old)
    api, bucket = port.world.api(), port.world.bucket()
    orders.place(port.world.directory, Order("before", r'INSERT INTO "storages_outboxitem" .*SELECT', role="worker"))
    body = {"project": old.project, "object_form": "annotation", "can_delete_objects": True, **port.world.connection(bucket)}
    made = api.post("/api/storages/export/s3", body).json()["id"]
    new = Target(old.project, made, bucket, old.tasks, "annotation", True)
    end = time.monotonic() + 60
    while ExportRun.objects.filter(storage_id=made, state__in=ACTIVE).exists():
        assert time.monotonic() < end, "the sync was not gone on with"
        port.turn()
        time.sleep(0.2)
    port.settle(new)
    assert orders.fired(port.world.directory)
    assert len(truth.objects(port, new)) == 5 and truth.differences(port, new, exact=True) == []
