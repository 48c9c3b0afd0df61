"""Everything a running service leaves behind: answers, log lines, queue content, database rows; and how to search it."""

import base64
import logging
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import django_rq
from django.db import connection
from django.http import HttpResponseBase
from rest_framework.test import APIClient


def disguises(secret: str) -> set[bytes]:
    """The secret as it is, percent-encoded, and the part of its base64 that is the same wherever it stands in a text."""
    found = {secret.encode(), quote(secret).encode(), quote(secret, safe="").encode(), quote_plus(secret).encode()}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):
            found.add(encode(b"x" * shift + secret.encode())[4 if shift else 0 : -4])
    return found


class RecordingClient(APIClient):
    """An API client that keeps every answer, headers and body, as bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[bytes] = []

    def request(self, **kwargs: Any) -> HttpResponseBase:
        answer = super().request(**kwargs)
        body = answer.getvalue() if answer.streaming else answer.content
        head = "".join(f"{name}: {value}\n" for name, value in answer.items())
        self.answers.append(f"{answer.status_code}\n{head}\n".encode() + body)
        return answer


class Lines(logging.Handler):
    """Keeps log lines as a formatter would print them, tracebacks included."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def queued() -> Iterator[bytes]:
    """Every key and value of the queue's server; RQ compresses some, those come inflated too."""
    server = django_rq.get_connection("default")
    readers = {b"string": server.get, b"hash": server.hgetall, b"set": server.smembers, b"stream": server.xrange}
    readers |= {b"list": lambda key: server.lrange(key, 0, -1), b"zset": lambda key: server.zrange(key, 0, -1, withscores=True)}
    readers[b"none"] = lambda key: []  # it expired in this moment
    for key in server.keys("*"):
        yield key
        yield from _flat(readers[server.type(key)](key))


def _flat(value: Any) -> Iterator[bytes]:
    if isinstance(value, dict):
        value = list(value.items())
    if isinstance(value, list | set | tuple):
        for item in value:
            yield from _flat(item)
    elif isinstance(value, bytes):
        yield value
        yield from _inflated(value)
    else:
        yield str(value).encode()


def _inflated(value: bytes) -> Iterator[bytes]:
    for unpack in (zlib.decompress, lambda text: zlib.decompress(base64.b64decode(text))):
        try:
            yield unpack(value)
        except (zlib.error, ValueError):
            continue


def stored() -> bytes:
    """The database: SQLite's files as they are, every row of every table of PostgreSQL as text."""
    if connection.vendor == "sqlite":
        path = Path(connection.settings_dict["NAME"])
        return b"".join(file.read_bytes() for file in (path, Path(f"{path}-wal")) if file.exists())
    rows = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            name = connection.ops.quote_name(table)
            cursor.execute(f"SELECT {name}::text FROM {name}")
            rows += [row[0] for row in cursor.fetchall()]
    return "\n".join(rows).encode()
