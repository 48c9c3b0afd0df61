"""The web server: the real gunicorn with one process, which comes back when it is killed, as under a supervisor."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import urllib3
from urllib3.exceptions import HTTPError

from tests.environment import free_port, wait_for_port
from tests.faults.crew import ROOT

COMMAND = [sys.executable, "-m", "gunicorn", "-c", "python:config.gunicorn", "config.wsgi:application", "--log-level", "warning"]
PATIENCE = 20.0  # seconds for an answer; a server that was killed answers when it is there again


class Answer(NamedTuple):
    """``seconds``: how long it took."""

    status: int
    body: Any
    seconds: float


class Web:
    """A server with the workers' environment ``env``; close it at the end."""

    def __init__(self, env: dict[str, str], log: Path) -> None:
        self.port, self.log, self.token = free_port(), log, ""
        own = {"FAULTS_ROLE": "web", "WEB_WORKERS": "1", "WEB_THREADS": "4", "BIND": "127.0.0.1", "PORT": str(self.port)}
        self.env = env | own
        self.process: subprocess.Popen | None = None
        self._pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(PATIENCE))
        self.mend()

    def mend(self) -> None:
        """Starts it anew if it died; it listens when this returns."""
        if self.process is None or self.process.poll() is not None:
            with self.log.open("a") as output:
                self.process = subprocess.Popen(COMMAND, cwd=ROOT, env=self.env, stdout=output, stderr=subprocess.STDOUT)
            wait_for_port(self.port, self.process)

    def send(self, method: str, path: str, body: Any = None) -> Answer | None:
        """The answer, None if the server died over it: then nobody knows what became of the request."""
        self.mend()
        began = time.monotonic()
        headers = {"Authorization": f"Token {self.token}", "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        try:
            answer = self._pool.request(method, f"http://127.0.0.1:{self.port}{path}", body=content, headers=headers)
        except HTTPError:
            return None
        kind = answer.headers.get("content-type", "")
        value = json.loads(answer.data) if answer.data and kind.startswith("application/json") else None
        return Answer(answer.status, value, time.monotonic() - began)

    def kill(self, *, whole: bool) -> None:
        """SIGKILL, for the process that answers and if wanted for the one that forked it."""
        try:
            children = psutil.Process(self.process.pid).children()
            if whole:
                self.process.kill()
            for child in children:
                child.kill()
        except psutil.NoSuchProcess:
            return  # it ended by itself in this moment

    def close(self) -> None:
        self.process.kill()
        self.process.wait(10)


def beside(env: dict[str, str], directory: Path) -> Web:
    """A server that shares database, queue and orders with the workers of ``env``."""
    return Web({**env, "FAULTS_PARENT": str(os.getpid())}, directory / "web.log")
