"""One round: a scene, a run of it that is killed again and again, and what is different in the end from what must be."""

import random
import time
from dataclasses import dataclass, field

from storages import status
from storages.runs import ImportRun
from tests.faults import points
from tests.faults.points import Point
from tests.faults.scenes import SCENES, Scene
from tests.faults.truth import differences, rows_of
from tests.faults.world import World


@dataclass
class Round:
    """``kills``: (part of the run, place) of those that happened. Of exports: ``objects`` that were compared, ``slowest`` save."""

    scene: str
    seed: int
    kills: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    runs: int = 1
    objects: int = 0
    slowest: float = 0.0  # seconds

    def line(self, number: int) -> str:
        verdict = "right" if not self.wrong else "WRONG"
        killed = "; ".join(place for _, place in self.kills) or "no kill"
        return f"{number:3} {verdict} {self.seconds:5.1f} s seed {self.seed:<10} {self.scene:18} {self.runs} run(s): {killed}"


def play(world: World, scene_name: str, seed: int, kills: int) -> Round:
    """The round of this scene and seed: the same places are ordered each time, though threads may meet them differently."""
    rng, played, began = random.Random(seed), Round(scene_name, seed), time.monotonic()
    world.calm()
    kind = SCENES[scene_name]
    scene = kind.build(world, rng)
    troubles = [(rng.choice(kind.areas), random.Random(rng.random())) for _ in range(kills)]
    run, before = _troubled(world, scene, kind.places, troubles, played)
    played.wrong = differences(scene.truth, run, before)
    played.seconds = time.monotonic() - began
    return played


def _troubled(world: World, scene: Scene, places: dict, troubles: list, played: Round) -> tuple[ImportRun, set]:
    """The last run of the scene, and the rows that were there when it began."""
    before, run = rows_of(scene.storage.pk), scene.start()
    pending: list[Point] = []

    def watch() -> None:
        if pending and pending[0].hit:
            _note(played, pending.pop())
            if scene.cancel and status.cancel(run, None):
                scene.cancel = False
        if not pending and troubles:
            area, rng = troubles.pop(0)
            pending.append(points.arm(world, area, rng, scene.events.get(area, 1), places))

    watch()
    while True:
        world.finish(run, watch=watch)
        if pending and pending[0].hit:
            _note(played, pending.pop())
        if run.error_code not in ("cancelled", "worker_lost"):
            break
        before, run, played.runs = rows_of(scene.storage.pk), scene.start(), played.runs + 1  # as a user would
    for point in pending:
        point.disarm()
    return run, before


def _note(played: Round, point: Point) -> None:
    played.kills.append((point.area, point.place))
    point.disarm()
