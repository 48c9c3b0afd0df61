"""``manage.py up``: the whole service with one command, every process a child of this one."""

import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import ports, valkey
from config.env import env_int, env_str
from config.supervisor import Service, StopRequested, Supervisor, die_with_parent

MANAGE = (sys.executable, "manage.py")
WEB = Service(
    "web", (sys.executable, "-m", "gunicorn", "-c", "python:config.gunicorn", "config.wsgi:application", "--log-level", "warning")
)
WORKER = (*MANAGE, "rqworker", "default", "low", "--with-scheduler")
SCHEDULER = Service("scheduler", (*MANAGE, "scheduler"))


class Command(BaseCommand):
    """Needs no database, no queue and no network of its own: those are the children's."""

    help = "Starts web server, workers, scheduler and, without REDIS_URL, an embedded Valkey; migrates; creates the first user."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--with-parent", action="store_true", help="stop when the calling process ends (make run)")

    def handle(self, *args: object, **options: object) -> None:
        if options["with_parent"]:
            die_with_parent(os.getppid(), signal.SIGTERM)
        host, port = settings.BIND, settings.PORT
        if why := ports.why_not(host, port):
            raise CommandError(
                f"cannot listen on {ports.joined(host, port)}: {why}. Set PORT (or BIND) to another value, or stop what uses it."
            )
        with only_one(settings.DATA_DIR):
            # threads of one process share two heaps: with one each, 64 streams keep twice as much memory (glibc, mallopt(3))
            env = {
                "MALLOC_ARENA_MAX": "2",
                **os.environ,
                **file_settings(settings.DATA_DIR),
                "DJANGO_SETTINGS_MODULE": "config.settings",
            }
            with Supervisor(env, settings.BASE_DIR, self.say) as supervisor:
                try:
                    self.start(supervisor, host, port)
                    supervisor.watch()
                except StopRequested as received:
                    self.say(f"{received}: stopping")
        self.say("stopped")

    def start(self, supervisor: Supervisor, host: str, port: int) -> None:
        """Queue, setup, then everything that uses them; returns when the web server answers."""
        if not env_str("REDIS_URL"):
            self.start_valkey(supervisor)
        code, sign_in = supervisor.run_once((*MANAGE, "setup"))
        if code:
            raise CommandError(f"`manage.py setup` ended with status {code}; see above")
        supervisor.add(WEB)
        for number in range(1, env_int("WORKERS", 2, minimum=1, maximum=64) + 1):
            supervisor.add(Service(f"worker-{number}", (*WORKER, "--verbosity", "0")))
        supervisor.add(SCHEDULER)
        local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
        if not ports.answers(local, port, 120, supervisor.wait, "/api/version/"):
            raise CommandError(f"the web server does not answer on {ports.joined(host, port)} after 120 s; see above")
        self.say(f"\nQuayside {settings.VERSION} is ready at {settings.HOST or f'http://{ports.joined(local, port)}'}\n{sign_in}")

    def start_valkey(self, supervisor: Supervisor) -> None:
        """The embedded queue; its URL reaches the children through REDIS_URL."""
        try:
            command = valkey.server_command()
        except OSError as error:
            raise CommandError(str(error)) from error
        url = valkey.choose_url(settings.DATA_DIR)
        log = settings.DATA_DIR / valkey.LOG
        supervisor.add(Service("valkey", command, stdin=valkey.server_config(url), log=log, last=True))
        host, port = valkey.address(url)
        if not ports.answers(host, port, 20, supervisor.wait):
            raise CommandError(f"the embedded Valkey does not answer on {host}:{port} after 20 s; see {log}")
        supervisor.env["REDIS_URL"] = url

    def say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


@contextmanager
def only_one(data_dir: Path) -> Iterator[None]:
    """Holds the lock of ``data_dir``; raises CommandError while another ``manage.py up`` does."""
    with (data_dir / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(
                f"another `manage.py up` works in {data_dir}; stop it, or set DATA_DIR to another directory"
            ) from None
        yield


def file_settings(data_dir: Path) -> dict[str, str]:
    """Environment for whoever set nothing about local files: ``data_dir``/files is served, and a first run makes a demo."""
    if env_str("LOCAL_FILES_SERVING_ENABLED") or env_str("LOCAL_FILES_DOCUMENT_ROOT"):
        return {}
    root = data_dir / "files"
    root.mkdir(exist_ok=True)
    served = {"LOCAL_FILES_SERVING_ENABLED": "true", "LOCAL_FILES_DOCUMENT_ROOT": str(root)}
    return served if env_str("DEMO") else {**served, "DEMO": "true"}
