"""One Azurite per test process: installed by npm when missing, started when first needed, killed at exit.

Knows how to run the emulator and to hand it a request; which requests are right is decided elsewhere.
"""

import atexit
import base64
import fcntl
import hashlib
import http.client
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.environment import free_port, wait_for_port
from tests.fakes.wire import Request, Response

DIRECTORY = Path(__file__).parent / "azurite"
PROGRAM = Path("node_modules") / "azurite" / "dist" / "src" / "blob" / "main.js"
INSTALLED = Path("node_modules") / ".package-lock.json"  # npm writes it last
ACCOUNT = "quaysidetests"
KEY = base64.b64encode(hashlib.sha512(b"harbour").digest()).decode()  # account keys are 64 bytes in base64
# The SDK speaks newer versions than the emulator knows; without --disableTelemetry it calls its makers.
OPTIONS = ["--skipApiVersionCheck", "--disableTelemetry", "--inMemoryPersistence", "--silent", "--blobHost", "127.0.0.1"]
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass(frozen=True)
class Azurite:
    """A running emulator with one account; ``url`` is the account's."""

    port: int
    account: str = ACCOUNT
    key: str = field(default=KEY, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{self.account}"

    def answer(self, request: Request) -> Response:
        """The emulator's answer; target and headers reach it as they stand, Host included."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        target = f"{request.path}?{request.query}" if request.query else request.path
        connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers:
            if name not in ("connection", "expect"):
                connection.putheader(name, value)
        connection.endheaders(request.body)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        length = headers.get("content-length", "0") if request.method == "HEAD" else str(len(body))
        kept = {name: value for name, value in headers.items() if name not in HOP_BY_HOP}
        if answer.status not in (204, 304):
            kept["content-length"] = length
        return Response(answer.status, kept, body)


@cache
def azurite() -> Azurite:
    """The emulator of this process. Raises RuntimeError if it can be neither installed nor started."""
    node = shutil.which("node")
    if node is None:
        raise RuntimeError("Azurite needs Node.js 20 or newer: there is no node on PATH.")
    install(DIRECTORY)
    port = free_port()
    environment = {**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
    command = [node, str(DIRECTORY / PROGRAM), *OPTIONS, "--blobPort", str(port)]
    home = os.environ["QUAYSIDE_TEST_HOME"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, cwd=home, env=environment)
    atexit.register(process.kill)
    wait_for_port(port, process, seconds=60)  # a busy machine takes more than ten
    return Azurite(port)


def install(directory: Path) -> None:
    """Runs ``npm ci`` unless it ran; workers of pytest-xdist wait for the first. Raises RuntimeError without npm."""
    with (directory / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (directory / INSTALLED).exists() and (directory / PROGRAM).exists():
            return
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError(f"Azurite is not installed and there is no npm on PATH: run `npm ci` in {directory}.")
        print(f"installing Azurite: npm ci in {directory}", file=sys.stderr)
        command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        try:
            subprocess.run(command, cwd=directory, stdout=subprocess.DEVNULL, check=True, timeout=300)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            raise RuntimeError(f"npm ci failed in {directory}; its words are on stderr.") from error
