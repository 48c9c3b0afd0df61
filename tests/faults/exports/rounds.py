"""One round: annotations are saved while web server and workers are killed again and again; then all is compared."""

import random
import time
from dataclasses import dataclass, field

from storages.base import ExportStorage
from storages.runs import ExportRun
from tests.faults.exports import points, truth
from tests.faults.exports.editor import Editor
from tests.faults.exports.port import Port, Target
from tests.faults.exports.scenes import SCENES, Scene
from tests.faults.points import Point
from tests.faults.rounds import Round

CHANGES = 36  # of a round
TEMPLATES = ["{annotation_id}.json", "old/{annotation_id}.json", "new/{task_id}/{annotation_id}.json"]
SOON = 6  # changes within which a kill happens, or another is ordered
AWAY = 2.0  # seconds that a target stays away after its project was deleted


@dataclass
class Storm:
    """The kills of a round, one after another, and what else goes wrong at which change."""

    port: Port
    scene: Scene
    target: Target
    played: Round
    troubles: list[tuple[str, random.Random]]
    rng: random.Random
    pending: list[Point] = field(default_factory=list)
    turned: float = 0.0
    armed: int = 0  # the change before which the pending kill was ordered

    def watch(self) -> None:
        """Notes the kill that has happened, and orders the next."""
        if self.pending and self.pending[0].hit:
            point = self.pending.pop()
            self.played.kills.append((point.area, point.place))
            point.disarm()
        if not self.pending and self.troubles:
            self.pending.append(points.arm(self.port, *self.troubles.pop(0)))

    def pass_over(self, change: int) -> None:
        """What belongs before the so many-th change."""
        if self.pending and not self.pending[0].hit and change - self.armed >= SOON:
            self._call_off()  # nothing comes by there at present
        if not self.pending or self.pending[0].hit:
            self.armed = change
        self.watch()
        if self.scene.away and change == CHANGES // 4:  # until the round heals it
            self.port.world.store.refuse_all()
        if self.scene.queue and change == CHANGES // 2:
            self.port.world.lose_queue()
        if self.scene.syncs and self.rng.random() < 0.2:
            self._ask()
        if time.monotonic() > self.turned:
            self.port.turn()
            self.turned = time.monotonic() + 0.4
        time.sleep(self.rng.random() * 0.04)

    def _ask(self) -> None:
        what = self.rng.choice(["sync", "sync?only_new=true", "retry", "cancel"])
        self.port.web.send("POST", f"{self.target.path}/{what}", {})
        if self.scene.renamed:
            self.target.template = self.rng.choice(TEMPLATES)
            answer = self.port.web.send("PATCH", self.target.path, {"key_template": self.target.template})
            assert answer and answer.status == 200, answer

    def end(self) -> None:
        """No other kill is ordered; what is ordered still may happen, or not."""
        self.watch()
        self.troubles.clear()
        self._call_off()

    def _call_off(self) -> None:
        for point in self.pending:
            point.struck = True
            point.disarm()
        self.pending.clear()


def play(port: Port, scene_name: str, seed: int, kills: int) -> Round:
    """The round of this scene and seed: the same changes and places are ordered each time, though time may differ."""
    rng, played, began = random.Random(seed), Round(scene_name, seed), time.monotonic()
    scene = SCENES[scene_name]
    port.world.calm()
    target = port.target(scene.form, may_delete=scene.may_delete)
    editor = Editor(port, target, random.Random(rng.random()))
    troubles = [(rng.choice(scene.areas), random.Random(rng.random())) for _ in range(kills)]
    held = troubles if scene.closing else []
    storm = Storm(port, scene, target, played, [] if scene.closing else troubles, random.Random(rng.random()))
    for change in range(CHANGES):
        storm.pass_over(change)
        editor.act()
    if scene.closing:
        _close(storm, editor, held)
    port.world.store.heal()
    port.settle(target, storm.watch)
    storm.end()
    if scene.queue:
        port.world.crew.renew()  # the new queue does not know the old ones
    played.wrong = editor.wrong + _compare(port, target, editor, played)
    played.seconds, played.slowest = time.monotonic() - began, editor.slowest
    return played


def _close(storm: Storm, editor: Editor, troubles: list[tuple[str, random.Random]]) -> None:
    """The project is deleted, with what was delivered and what was not."""
    if not storm.scene.away:
        storm.port.settle(storm.target)
        editor.create()
    storm.troubles = troubles
    storm.watch()
    editor.drop_project()
    end = time.monotonic() + (AWAY if storm.scene.away else 0)
    while time.monotonic() < end:
        storm.watch()
        storm.port.turn()
        time.sleep(0.05)


def _compare(port: Port, target: Target, editor: Editor, played: Round) -> list[str]:
    """After the deliveries, and again after a full sync: then to the last byte."""
    played.runs = ExportRun.objects.filter(storage_id=target.storage).count()
    wrong = truth.lost(target, editor.known) + ([] if target.template else truth.differences(port, target))
    played.objects = len(truth.objects(port, target))
    if not wrong and ExportStorage.objects.filter(pk=target.storage).exists():
        run = port.sync(target)
        wrong += [f"the sync afterwards ended {run.state}: {run.error}"] if run.state != "completed" else []
        wrong += truth.differences(port, target, exact=True)
    return wrong
