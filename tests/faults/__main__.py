"""The fault harness in full: ``python -m tests.faults --kills 60 --database postgres --seed 7``.

A line per round, a table at the end; exit code 1 when anything was not as it must be. A round is repeated alone with
``--scene NAME --seed N --rounds 1``. With ``--exports`` annotations are saved and delivered instead of imported.
"""

import argparse
import os
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

MOST_KILLS = {False: 3, True: 12}  # of one round of imports, of exports


def main() -> int:
    parser = argparse.ArgumentParser(description="Kills workers at random places of syncs and compares what is stored.")
    parser.add_argument("--kills", type=int, default=60, help="go on until so many workers were killed")
    parser.add_argument("--rounds", type=int, default=10_000, help="at most so many rounds")
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--seed", type=int, default=None, help="printed at the start; the same one gives the same places")
    parser.add_argument("--scene", default="", help="only this one")
    parser.add_argument("--exports", action="store_true", help="kills web server and workers while annotations are exported")
    options = parser.parse_args()
    os.environ["TEST_DATABASE"] = options.database
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"

    import django

    import tests.environment  # noqa: F401 - databases, queue and directories of its own

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    seed = options.seed if options.seed is not None else random.randrange(10**6)
    print(f"database {options.database}, seed {seed}, until {options.kills} kills", flush=True)
    return run(seed, options.kills, options.rounds, options.scene, exports=options.exports)


def run(seed: int, kills: int, most: int, only: str, *, exports: bool) -> int:
    """Plays rounds and prints them; the exit code."""
    if exports:
        from tests.faults.exports.points import AREAS
        from tests.faults.exports.port import opened
        from tests.faults.exports.rounds import play
        from tests.faults.exports.scenes import SCENES
    else:
        from tests.faults.points import AREAS
        from tests.faults.rounds import play
        from tests.faults.scenes import SCENES
        from tests.faults.world import opened

    most_kills = MOST_KILLS[exports]
    rng, areas, scenes, wrong, objects = random.Random(seed), Counter(), Counter(), 0, 0
    with tempfile.TemporaryDirectory() as directory, opened(Path(directory)) as harbour:
        number = 0
        while areas.total() < kills and number < most:
            number += 1
            scene = only or list(SCENES)[(number - 1) % len(SCENES)]
            own = seed if most == 1 else rng.randrange(10**9)
            played = play(harbour, scene, own, random.Random(own).randint(1, most_kills))
            areas.update(area for area, _ in played.kills)
            scenes[scene] += len(played.kills)
            wrong += bool(played.wrong)
            objects += played.objects
            print(played.line(number), *(f"      {line}" for line in played.wrong), sep="\n", flush=True)
    print(
        f"\n{number} rounds, {areas.total()} kills, {wrong} rounds wrong" + (f", {objects} objects compared" if exports else "")
    )
    for title, counts, names in (("part of the run", areas, AREAS), ("scene", scenes, SCENES)):
        print(f"  {title:20} kills", *(f"  {name:20} {counts[name]:5}" for name in names), sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
