"""A web process of its own against a PostgreSQL: ``PGAPPNAME=… python -m tests.config.pooling`` prints what its connections did, as JSON."""

import json
import os
import threading
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import psycopg  # noqa: E402
from django.core.signals import request_finished, request_started  # noqa: E402
from django.db import connection, connections  # noqa: E402

from config.wsgi import application  # noqa: E402, F401 - makes this a web process

THREADS, NAME = 24, os.environ.get("PGAPPNAME", "")
ALL_BACKENDS = "FROM pg_stat_activity WHERE application_name = %s"


def request(hold: threading.Barrier | None = None) -> float:
    """Milliseconds that a request with one query took; ``hold``: keeps the connection until all have one."""
    began = time.perf_counter()
    request_started.send(None)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    if hold:
        hold.wait(20)
    request_finished.send(None)
    return (time.perf_counter() - began) * 1000


def crowd(count: int, hold: threading.Barrier | None) -> None:
    threads = [threading.Thread(target=request, args=(hold,)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    size = connections["default"].pool.max_size
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, application_name="observer") as observer:

        def ask(what: str) -> int:
            return observer.execute(f"SELECT {what} {ALL_BACKENDS}", [NAME]).fetchone()[0]

        crowd(size, threading.Barrier(size))  # fills the pool
        crowd(THREADS, None)
        opened = ask("count(*)")
        ended = ask("count(pg_terminate_backend(pid))")
        took = request()
        print(json.dumps({"size": size, "opened": opened, "ended": ended, "request_after_restart_ms": took}))
    connections["default"].close_pool()


main()
