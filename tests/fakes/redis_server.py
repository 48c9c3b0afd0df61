"""A real Redis server of the tests' own, with passwords, ACL users and a TLS port; never the one that the queue uses.

Without an installed redis-server it is Valkey, whose build has no TLS: a relay in this process ends the TLS for it.
"""

import atexit
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.environment import free_port, start_valkey, tls_directory, wait_for_port
from tests.fakes.tls import server_context

PASSWORD = "a-password-of-the-default-user"
DATABASES = 4
SCANNING = "+select +ping +scan +strlen"
READING = f"{SCANNING} +getrange +exists"
USERS = {  # name: rules; the password of each is "the password of <name>"
    "lister": f"~allowed/* {SCANNING}",
    "reader": f"~allowed/* {READING} +get",
    "writer": f"~allowed/* {READING} +set",
    "keeper": f"~allowed/* {READING} +set +unlink",
    "blind": "~allowed/* +select +ping +strlen +getrange +exists",
    "full": "~* +@all",
}


@dataclass(frozen=True)
class RedisServer:
    """A running server; ``admin`` looks at database ``db`` from outside."""

    port: int
    tls_port: int

    def admin(self, db: int = 1) -> redis.Redis:
        return redis.Redis(port=self.port, db=db, password=PASSWORD, protocol=2, socket_timeout=5)

    def flush(self) -> None:
        with self.admin() as admin:
            admin.flushall()

    def settings(self, **more: Any) -> dict[str, Any]:
        """What a storage of database 1 needs, signed in as the default user."""
        return {"host": "127.0.0.1", "port": str(self.port), "password": PASSWORD, "db": 1} | more

    def settings_of(self, user: str, **more: Any) -> dict[str, Any]:
        return self.settings(host=f"redis://{user}@127.0.0.1", password=password_of(user)) | more


def password_of(user: str) -> str:
    return f"the-password-of-{user}"


@lru_cache(maxsize=2)
def start_redis_tls(certificates: Path | None = None) -> RedisServer:
    """One server per process (and per authority); it ends with the tests."""
    certificates = certificates or tls_directory()
    tls_port = free_port()
    options = ["--requirepass", PASSWORD, "--databases", str(DATABASES)]
    for name, rules in USERS.items():
        options += ["--user", name, "on", f">{password_of(name)}", *rules.split()]
    options += ["--user", "nobody", "off", f">{password_of('nobody')}", "~*", "+@all"]
    if (binary := shutil.which("redis-server")) is None:
        process, url = start_valkey(*options)
        port = int(url.rsplit(":", 1)[1].split("/")[0])
        serve_tls(tls_port, port, server_context(certificates))
        return RedisServer(port, tls_port)
    port = free_port()
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", *options]
    command += ["--tls-port", str(tls_port), "--tls-auth-clients", "no", "--tls-ca-cert-file", str(certificates / "ca.pem")]
    command += ["--tls-cert-file", str(certificates / "server.pem"), "--tls-key-file", str(certificates / "server.key")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    atexit.register(process.kill)
    wait_for_port(port, process)
    return RedisServer(port, tls_port)


def serve_tls(port: int, target: int, context: ssl.SSLContext) -> None:
    """Passes what comes over TLS on ``port`` to the plain server on ``target``, and its answers back."""
    listener = socket.create_server(("127.0.0.1", port))

    def accept() -> None:
        while True:
            client, _ = listener.accept()
            threading.Thread(target=relay, args=(client, target, context), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def relay(client: socket.socket, target: int, context: ssl.SSLContext) -> None:
    with suppress(OSError), context.wrap_socket(client, server_side=True) as near:
        with socket.create_connection(("127.0.0.1", target)) as far:
            answers = threading.Thread(target=pump, args=(far, near), daemon=True)
            answers.start()
            pump(near, far)


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Copies until the source ends, then ends the sink."""
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def server() -> RedisServer:
    """An empty server."""
    running = start_redis_tls()
    running.flush()
    return running


@contextmanager
def pretender(*answers: bytes) -> Iterator[dict[str, Any]]:
    """A port that accepts and sends one of ``answers`` for whatever comes, then nothing any more: settings of a storage."""
    listener = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                made, _ = listener.accept()
                held.append(made)
                for answer in answers:
                    made.recv(4096)
                    made.sendall(answer)
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    yield {"host": "127.0.0.1", "port": str(listener.getsockname()[1]), "db": 1}
    listener.close()
    for made in held:
        made.close()
