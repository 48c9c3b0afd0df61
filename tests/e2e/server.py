"""The real service as a person runs it: ``manage.py up`` in a directory of its own, on SQLite or on PostgreSQL and Redis."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import urllib3

from tests.environment import free_port, start_postgres, start_redis

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "e2e0token1for2the3harbour4tests5only6abc"
SETTINGS = {
    "LABEL_STUDIO_USERNAME": "sailor@harbour.example",
    "LABEL_STUDIO_PASSWORD": "a-long-password-1",
    "LABEL_STUDIO_USER_TOKEN": TOKEN,
    "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
    "SSRF_ALLOWED_NETWORKS": "127.0.0.0/8",
    "DEMO": "false",
}


@dataclass
class RunningServer:
    """Where it listens, the first user's legacy token, its process, and the directory whose files it serves."""

    url: str
    token: str
    process: subprocess.Popen
    files: Path
    authority = os.environ["EXTRA_CA_CERTS"]  # the certificate authority of the fakes

    def get(self, path: str, **headers: str) -> Any:
        """A GET with the token that follows no redirect; ``path`` may be absolute."""
        url = path if path.startswith("http") else self.url + path
        return urllib3.request("GET", url, headers={"Authorization": f"Token {self.token}", **headers}, redirect=False)

    def post(self, path: str, body: Any) -> Any:
        """A POST of JSON with the token."""
        return urllib3.request("POST", self.url + path, json=body, headers={"Authorization": f"Token {self.token}"})

    def processes(self, word: str) -> list[psutil.Process]:
        """The service's processes whose command line holds ``word``."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if word in " ".join(child.cmdline())]


@cache
def migrated() -> Path:
    """A data directory as the first start leaves it, to begin with: migrating takes longer than all the rest."""
    directory = Path(tempfile.mkdtemp(prefix="migrated-", dir=os.environ["QUAYSIDE_TEST_HOME"]))
    settings = SETTINGS | {"DATA_DIR": str(directory)}
    subprocess.run([sys.executable, "manage.py", "setup"], cwd=ROOT, env=inherited() | settings, check=True, capture_output=True)
    return directory


def inherited() -> dict[str, str]:
    return {
        name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")
    }


@contextmanager
def running(directory: Path, database: str, **env: str) -> Iterator[RunningServer]:
    """``database``: "sqlite" (with the embedded Valkey) or "postgres" (with Redis). Stopped at the end, logs shown on failure."""
    files = directory / "served"
    files.mkdir(parents=True, exist_ok=True)
    port = free_port()
    settings = SETTINGS | {
        "DATA_DIR": str(directory / "data"),
        "PORT": str(port),
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(files),
    }
    if database == "sqlite" and "DEMO" not in env:  # a first start alone makes the demo
        shutil.copytree(migrated(), directory / "data", dirs_exist_ok=True)
    if database == "postgres":
        settings |= {"DATABASE_URL": start_postgres(directory), "REDIS_URL": start_redis()[1]}
    log = directory / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env=inherited() | settings | env,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        until(lambda: "is ready at" in log.read_text() or process.poll() is not None, 120, "the server is ready")
        assert process.poll() is None, log.read_text()
        yield RunningServer(f"http://127.0.0.1:{port}", TOKEN, process, files)
    except BaseException:
        print(log.read_text()[-6000:])
        raise
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def until(true: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first truthy answer of ``true``, asked every 0.2 s; AssertionError naming ``what`` after ``seconds``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := true():
            return answer
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s: {what}")
