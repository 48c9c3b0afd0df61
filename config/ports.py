"""TCP ports of this machine: which is free, which is taken, which answers."""

import socket
import time
from collections.abc import Callable


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def joined(host: str, port: int) -> str:
    """``host:port`` as URLs and gunicorn write it: an IPv6 address in brackets (RFC 3986 section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def free_port(wanted: int) -> int:
    """``wanted`` if it is free on 127.0.0.1, else some other free port."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise OSError("no port is free on 127.0.0.1")


def why_not(host: str, port: int) -> str:
    """Why a server could not listen on ``host:port`` now, "" if it could."""
    with socket.socket(_family(host)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does: TIME_WAIT is no obstacle
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def answers(host: str, port: int, seconds: float, wait: Callable[[float], None] = time.sleep, path: str = "") -> bool:
    """Whether a server accepts connections, or answers 200 to a GET of ``path``, within ``seconds``.

    ``wait`` pauses between two attempts and may raise to give up.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if _answers_now(host, port, path):
            return True
        wait(0.1)
    return False


def _answers_now(host: str, port: int, path: str) -> bool:
    try:
        with socket.create_connection((host, port), timeout=2.0) as connection:
            if not path:
                return True
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            return connection.recv(64).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False
