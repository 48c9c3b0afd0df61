"""gunicorn's configuration (``gunicorn -c python:config.gunicorn``), the same for ``manage.py up`` and the container."""

from typing import Any

from config.capacity import THREADS
from config.env import env_int, env_str
from config.ports import joined
from config.supervisor import die_with_parent

bind = joined(env_str("BIND", "127.0.0.1"), env_int("PORT", 8080, minimum=1, maximum=65535))
worker_class = "gthread"  # a stream to a slow browser holds a thread, not a process
workers = env_int("WEB_WORKERS", 2, minimum=1, maximum=64)
threads = THREADS
timeout = 120  # seconds without a sign of life from a worker; long answers do not count, they run in threads
graceful_timeout = 5  # seconds that answers under way get at a stop; manage.py up waits 7
keepalive = 15
limit_request_line = 0  # no limit: an export of 1,000 given ids has a line of 8 KB
control_socket_disable = True  # otherwise ~/.gunicorn/gunicorn.ctl appears
forwarded_allow_ips = env_str("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")  # proxies whose X-Forwarded-Proto is believed


def post_fork(server: Any, worker: Any) -> None:
    """gunicorn's hook in a new worker: it dies with its master, even while it answers a request."""
    die_with_parent(server.pid)
