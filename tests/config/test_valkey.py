"""The embedded Valkey: reachable with its password only, remembered for other commands, nothing on disk but its address."""

import os
import signal
import socket
import stat
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from config import ports, valkey
from tests.config.processes import MARK, alive


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    url, mark = valkey.choose_url(tmp_path), uuid.uuid4().hex
    command = valkey.server_command()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, cwd=tmp_path, env={**os.environ, MARK: mark})
    process.stdin.write(valkey.server_config(url))
    process.stdin.close()
    assert ports.answers(*valkey.address(url), seconds=20)
    yield url, tmp_path
    for pid in alive(mark):
        os.kill(pid, signal.SIGKILL)
    process.wait()


def test_its_url_opens_it_and_nothing_else_does(server: tuple[str, Path]) -> None:
    url, _ = server
    assert Redis.from_url(url).ping()
    host, port = valkey.address(url)
    with pytest.raises(AuthenticationError):
        Redis(host=host, port=port).ping()


def test_its_url_is_remembered_for_its_owner_only(server: tuple[str, Path]) -> None:
    url, data_dir = server
    assert valkey.remembered_url(data_dir) == url
    assert stat.S_IMODE((data_dir / "valkey.url").stat().st_mode) == 0o600
    assert urlsplit(url).hostname == "127.0.0.1"


def test_its_password_is_on_no_command_line(server: tuple[str, Path]) -> None:
    url, _ = server
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert not [line for line in lines if urlsplit(url).password.encode() in line]


def test_it_leaves_no_data(server: tuple[str, Path]) -> None:
    url, data_dir = server
    client = Redis.from_url(url)
    client.set("a", 1)
    client.shutdown()
    assert [path.name for path in data_dir.iterdir()] == ["valkey.url"]


def test_the_port_stays_the_same_while_it_is_free(tmp_path: Path) -> None:
    first, second = valkey.choose_url(tmp_path), valkey.choose_url(tmp_path)
    assert urlsplit(first).port == urlsplit(second).port
    assert urlsplit(first).password != urlsplit(second).password
    with socket.socket() as squatter:
        squatter.bind(valkey.address(second))
        assert urlsplit(valkey.choose_url(tmp_path)).port != urlsplit(second).port


def test_nothing_is_remembered_before_the_first_start(tmp_path: Path) -> None:
    assert valkey.remembered_url(tmp_path) == ""


def test_why_a_port_cannot_be_used_is_said() -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        assert ports.why_not("127.0.0.1", port) == "Address already in use"
        assert ports.answers("127.0.0.1", port, 1)
    assert ports.why_not("127.0.0.1", port) == ""
    assert not ports.answers("127.0.0.1", port, 0.3)
    assert ports.why_not("192.0.2.1", port) == "Cannot assign requested address"


@pytest.mark.parametrize(("host", "text"), [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80"), ("localhost", "localhost:80")])
def test_an_ipv6_address_gets_brackets(host: str, text: str) -> None:
    assert ports.joined(host, 80) == text
