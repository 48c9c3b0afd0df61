"""Keys listed and small objects read per CPU second by each backend's own client, without database and web server.

``python -m tests.benchmarks.planes BACKEND URL`` measures one backend in a process of its own and prints JSON; ``planes``
starts one after another. Only this client's CPU time counts, not the store's.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.benchmarks.api import Api
from tests.benchmarks.baseline import baseline
from tests.benchmarks.report import RATE, Figure, Mark
from tests.benchmarks.server import ROOT

READS, READERS = 3200, 32  # objects read by so many threads of one client
KEYS_MARK, S3_KEYS_MARK, S3_OBJECTS_MARK = Mark(">=", 80_000), Mark(">=", 250_000), Mark(">=", 2_500)
MARKS = {"s3": (S3_KEYS_MARK, S3_OBJECTS_MARK)} | {name: (KEYS_MARK, None) for name in ("gcs", "azure", "databricks")}
BACKENDS = ("s3", "gcs", "azure", "databricks", "redis", "localfiles")


def planes(api: Api) -> Iterator[Figure]:
    """Two figures for each backend."""
    for name in BACKENDS:
        keys, objects = _run(name, api.server.stub)
        case, (keys_mark, objects_mark) = f"Data plane, {name}", MARKS.get(name, (None, None))
        db = api.server.database
        yield Figure(case, "listed", keys, "keys/CPU s", RATE, baseline("planes", f"{name}-keys", db), keys_mark)
        yield Figure(case, "read", objects, "objects/CPU s", RATE, baseline("planes", f"{name}-objects", db), objects_mark)


def _run(name: str, url: str) -> tuple[float, float]:
    with tempfile.TemporaryDirectory(prefix="quayside-planes-") as home:
        command = [sys.executable, "-m", "tests.benchmarks.planes", name, url]
        env = os.environ | {"DATA_DIR": home, "DJANGO_SETTINGS_MODULE": "config.settings"} | settings(Path(home), url)
        done = subprocess.run(command, cwd=ROOT, env=env, check=True, timeout=300, stdout=subprocess.PIPE, text=True)
        figures = json.loads(done.stdout)
        return figures["keys"], figures["objects"]


def settings(home: Path, url: str) -> dict[str, str]:
    """The settings that lead every backend to the stub."""
    return {
        "SSRF_ALLOWED_NETWORKS": "127.0.0.0/8",
        "GCS_API_ENDPOINT": url,
        "GOOGLE_OAUTH_TOKEN_URL": f"{url}/token",
        "AZURE_BLOB_ENDPOINT_TEMPLATE": f"{url}/{{account}}",
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(home),
    }


def storage_of(name: str, url: str, stack: ExitStack) -> Any:
    """An unsaved storage of 100,000 objects of 1 KiB."""
    from storages.backends import BACKENDS as REGISTRY

    fields: dict[str, Callable[[], dict[str, Any]]] = {
        "s3": lambda: {"bucket": "bench-100000", "s3_endpoint": url, "aws_access_key_id": "A" * 20, "aws_secret_access_key": "s"},
        "gcs": lambda: {"bucket": "bench", "google_application_credentials": _key()},
        "azure": lambda: {"container": "bench", "account_name": "azureaccount", "account_key": "c2VjcmV0"},
        "databricks": lambda: {
            "host": url,
            "token": "t",
            "catalog": "main",
            "schema": "default",
            "volume": "bench",
            "prefix": "images",
        },
        "redis": lambda: _redis(stack),
        "localfiles": _files,
    }
    return REGISTRY[name].import_model(project_id=1, **fields[name]())


def _key() -> str:
    """A service account's key file, made up."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = {"type": "service_account", "project_id": "p", "private_key_id": "1", "private_key": key.private_bytes(*form).decode()}
    file |= {"client_email": "bench@p.iam.gserviceaccount.com", "token_uri": "https://oauth2.googleapis.com/token"}
    return json.dumps(file)


def _redis(stack: ExitStack) -> dict[str, Any]:
    import redis

    from tests.environment import start_redis

    process, url = start_redis()
    stack.callback(process.kill)
    client = redis.Redis.from_url(url.rpartition("/")[0] + "/1")  # a database in the URL wins over the argument
    for start in range(0, 100_000, 10_000):
        client.mset({f"images/img{n:08d}.json": b"x" * 1024 for n in range(start, start + 10_000)})
    return {"host": "127.0.0.1", "port": url.rpartition(":")[2].partition("/")[0], "db": 1, "path": "images/"}


def _files() -> dict[str, Any]:
    directory = Path(os.environ["LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"]) / "images"
    directory.mkdir()
    for number in range(20_000):
        (directory / f"img{number:08d}.jpg").write_bytes(b"x" * 1024)
    return {"path": str(directory)}


def measure(client: Any) -> dict[str, float]:
    """Keys and objects per second of this process's CPU time; the first page and the first objects warm up."""
    pages = client.list(recursive=True)
    keys = [item.key for item in next(pages).objects]
    began = time.process_time()
    listed = sum(len(page.objects) for page in pages)
    listing = time.process_time() - began
    read(client, keys[:1] * READERS)
    began = time.process_time()
    read(client, [keys[number % len(keys)] for number in range(READS)])
    return {"keys": listed / listing, "objects": READS / (time.process_time() - began)}


def read(client: Any, keys: list[str]) -> None:
    """Every key is read by one of READERS threads."""

    def some(mine: list[str]) -> None:
        for key in mine:
            with client.open(key) as stream:
                assert stream.read(-1)

    threads = [threading.Thread(target=some, args=(keys[number::READERS],)) for number in range(READERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    import django

    django.setup()
    name, url = sys.argv[1:]
    with ExitStack() as stack:
        print(json.dumps(measure(storage_of(name, url, stack).client())))


if __name__ == "__main__":
    main()
