"""Database connections of the web server: few, shared by its threads, and none lost in a restart of the database."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.environment import start_postgres

ASK = (
    "import config.{module}, json; from django.conf import settings; made = settings.DATABASES['default'];"
    "print(json.dumps([made['ENGINE'], made['CONN_MAX_AGE'], made.get('OPTIONS', {{}}).get('pool')]))"
)


def told(*command: str, **environment: str) -> Any:
    """What a process prints as its last line, as JSON."""
    inherited = {name: value for name, value in os.environ.items() if name != "WEB_PROCESS"}  # what config.wsgi leaves behind
    env = inherited | {"DJANGO_SETTINGS_MODULE": "config.settings"} | environment
    done = subprocess.run([sys.executable, *command], env=env, check=True, capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("module", "pooled"), [("wsgi", True), ("worker", False)])
def test_only_a_web_process_pools_connections_since_workers_fork(module, pooled):
    url = "postgres://me:secret@127.0.0.1:1/quayside?sslmode=prefer"
    engine, age, pool = told("-c", ASK.format(module=module), DATABASE_URL=url, CONN_MAX_AGE="600", DATABASE_POOL_SIZE="7")
    assert (engine, age) == (("config.postgresql", 0) if pooled else ("django.db.backends.postgresql", 600))
    assert (pool or {}).get("max_size") == (7 if pooled else None)


def test_sqlite_has_no_pool(tmp_path):
    engine, age, pool = told("-c", ASK.format(module="wsgi"), DATABASE_URL=f"sqlite:///{tmp_path}/x.sqlite3", CONN_MAX_AGE="600")
    assert (engine, age, pool) == ("django.db.backends.sqlite3", 600, None)


def test_threads_share_few_connections_and_a_restart_of_the_database_costs_no_failed_request():
    home = Path(os.environ["QUAYSIDE_TEST_HOME"])  # which the account that PostgreSQL runs under may enter
    url = os.environ.get("DATABASE_URL") or start_postgres(home)
    found = told("-m", "tests.config.pooling", DATABASE_URL=url, DATABASE_POOL_SIZE="8", PGAPPNAME="pooling")
    assert found["opened"] == found["size"] == found["ended"] == 8
    assert found["request_after_restart_ms"] < 1000
