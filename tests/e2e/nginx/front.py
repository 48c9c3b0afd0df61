"""A real nginx with the shipped configuration in front of a server, in a directory of its own; knows nothing of media."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.server import ROOT
from tests.environment import free_port, tls_directory, wait_for_port

MAIN = """
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/error.log info;
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {directory}/default.conf;
}}
"""


def binary() -> str:
    """Where nginx is; Debian has it outside of a user's PATH."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise RuntimeError("nginx is not installed; Debian: apt-get install --no-install-recommends nginx-light")
    return found


def rendered(upstream: int, port: int, directory: Path) -> str:
    """deploy/nginx.conf with this machine's ports and files; every replacement must find its place."""
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    for old, new in {
        "server web:8080;": f"server 127.0.0.1:{upstream};",
        "listen 80;": f"listen 127.0.0.1:{port};",
        "access_log /var/log/nginx/access.log": f"access_log {directory}/access.log",
        "error_log stderr": f"error_log {directory}/error.log",
        "/etc/ssl/certs/ca-certificates.crt": str(tls_directory() / "ca.pem"),
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@contextmanager
def fronting(upstream: int, directory: Path) -> Iterator[str]:
    """The URL of an nginx in front of 127.0.0.1:``upstream``; its logs are access.log and error.log in ``directory``."""
    port = free_port()
    (directory / "nginx.conf").write_text(MAIN.format(directory=directory))
    (directory / "default.conf").write_text(rendered(upstream, port, directory))
    command = [binary(), "-p", str(directory), "-e", str(directory / "error.log"), "-c", str(directory / "nginx.conf")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
