"""How many SQL statements one request costs: ``python -m tests.benchmarks.statements PATH`` prints it, run in the server's
environment.
"""

import os
import subprocess
import sys

from tests.benchmarks.api import HEADERS
from tests.benchmarks.server import ROOT, Server


def of(server: Server, path: str) -> int:
    """The statements of a GET of ``path``, asked twice: what is kept in memory then is kept in the server too."""
    command = [sys.executable, "-m", "tests.benchmarks.statements", path]
    env = server.env | {"DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(command, cwd=ROOT, env=env, check=True, timeout=60, stdout=subprocess.PIPE, text=True)
    return int(done.stdout)


def main(path: str) -> None:
    import django

    django.setup()
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(headers=HEADERS)
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(path)
        assert answer.status_code == 200, answer.content[:200]
    print(len(queries))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    main(sys.argv[1])
