"""Database 1 of a real server."""

from pathlib import Path
from typing import Any

from storages.providers.redis import client as redis_client
from tests.backends.harness import HOSTILE, Harness
from tests.environment import free_port
from tests.fakes.redis_server import start_redis_tls


class RedisHarness(Harness):
    name = "redis"
    trouble = {  # an empty prefix is nothing that could be missing, and nothing asks to slow down
        "bad_credentials": lambda box: {"password": "wrong"},
        "no_permission": lambda box: box.server.settings_of("blind"),
        "unreachable": lambda box: {"port": str(free_port())},
        "misconfigured": lambda box: {"port": "none"},
    }
    hostile = [*HOSTILE, "task[1]*?.json", "back\\slash.json", "double//slash.txt", "/leading.txt", "new\nline", "x" * 5000]

    def __init__(self, directory: Path) -> None:
        self.server = start_redis_tls()
        self.server.flush()
        self.admin = self.server.admin()
        self.page_size = redis_client.PAGE_SIZE

    def put(self, name: str, body: bytes) -> None:
        self.admin.set(name.encode(), body)

    def get(self, name: str) -> bytes | None:
        return self.admin.get(name.encode())

    def settings(self, root: str = "") -> dict[str, Any]:
        return self.server.settings(path=root)

    def small_pages(self) -> None:
        redis_client.PAGE_SIZE = 2

    def close(self) -> None:
        super().close()
        redis_client.PAGE_SIZE = self.page_size
        self.admin.close()
