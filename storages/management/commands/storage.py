"""Storages for operators: list, validate, plan, sync, snapshot, cancel. Says what the API says; no secret is ever printed.

Exit codes: 0 it worked, and a run completed; 1 it did not; 2 wrong usage or unknown storage; 130 Ctrl-C, the run goes on.
"""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from storages import jobs, queueing, status
from storages.api import starting
from storages.api.diagnosis import diagnose
from storages.api.plan import plan
from storages.api.run_shapes import columns
from storages.base import Storage
from storages.cli import choice, following, printing
from storages.cli.failures import FAILED, in_one_line
from storages.errors import StorageError
from storages.runs import Run, State
from storages.snapshots.places import FORMATS

STARTING = ("sync", "retry", "snapshot")  # verbs that begin a run
STOPPED = 130  # exit code
LATEST = 20  # rows shown of runs and issues


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        everywhere = {"list": "all sources and targets", "validate": "try the connection, verb after verb", "plan": "dry run"}
        everywhere |= {"sync": "run a sync and follow it", "retry": "the same, of the objects that failed"}
        everywhere |= {"snapshot": "write all annotated tasks to a target, to train on, and follow it"}
        everywhere |= {"runs": "history", "cancel": "end the run that is queued or running"}
        for verb, text in everywhere.items():
            sub = verbs.add_parser(verb, help=text, description=text)
            sub.add_argument("--json", action="store_true", help="one JSON document on stdout")
            if verb != "list":
                sub.add_argument("storage", help="id, or type/id such as s3/7")
            if verb not in ("plan", "retry", "snapshot"):
                sub.add_argument("--export", action="store_true", help="targets instead of sources")
            if verb in STARTING:
                sub.add_argument("--here", action="store_true", help="do the work in this process, with no queue or worker")
        verbs.choices["snapshot"].add_argument("--format", choices=FORMATS, default=FORMATS[0], help=f"default {FORMATS[0]}")
        verbs.choices["snapshot"].add_argument("--name", type=choice.snapshot_name, help="end of the folder's name")
        verbs.choices["list"].add_argument("--project", type=choice.number, help="only of this project")
        verbs.choices["runs"].add_argument("--issues", type=int, metavar="RUN", help="what could not be dealt with in that run")
        verbs.choices["runs"].add_argument("--limit", type=choice.number, default=LATEST, help=f"rows, default {LATEST}")

    def handle(self, *args: object, verb: str, **options: Any) -> None:
        self.json = options["json"]
        with in_one_line(self.stdout):
            if verb == "list":
                return self.overview(options["project"], options["export"])
            named = choice.storage if verb in ("validate", "plan", *STARTING) else choice.without_secrets
            one = named(options["storage"], export=options.get("export", verb == "snapshot"))
            if verb in STARTING:
                snapshot = {"form": options["format"], "name": options["name"] or ""} if verb == "snapshot" else None
                return self.start(one, here=options["here"], retry=verb == "retry", snapshot=snapshot)
            if verb == "runs":
                return self.runs(one, options["issues"], options["limit"])
            return getattr(self, verb)(one)

    def overview(self, project: int | None, export: bool) -> None:
        rows = choice.rows(project=project, export=export)
        rows += [] if export else choice.rows(project=project, export=True)
        if self.json:
            return printing.document(self.stdout, rows)
        names = ("storage", "direction", "project", "title", "status", "last_run", "last_sync")
        return printing.table(self.stdout, names, [[str(row[n]) if n == "project" else row[n] for n in names] for row in rows])

    def validate(self, one: Storage) -> None:
        told = diagnose(one, settings.HOST or f"http://{settings.BIND}:{settings.PORT}")
        if self.json:
            printing.document(self.stdout, told)
        else:
            words = {True: "ok", False: "FAILED", None: "not tried"}
            rows = [(probe["verb"], words[probe["ok"]], f"{probe['seconds'] or 0:.3f} s") for probe in told["probes"]]
            printing.table(self.stdout, ("probe", "", "time"), rows)
            for warning in told["warnings"]:
                self.stdout.write(f"warning: {printing.line(warning['message'])}")
        if not told["ok"]:
            failed = next(probe for probe in told["probes"] if probe["ok"] is False)
            raise CommandError(printing.line(f"{failed['verb']}: {failed['message']}"), returncode=FAILED)

    def plan(self, one: Storage) -> None:
        told = plan(one)
        if self.json:
            return printing.document(self.stdout, told)
        return printing.plan(self.stdout, told)

    def start(self, one: Storage, *, here: bool, retry: bool, snapshot: dict[str, str] | None) -> None:
        """Begins a run, or joins the one under way, and stays with it to its end."""
        if not one.synchronizable:
            raise CommandError(f"{choice.name_of(one)} is not synchronizable; set synchronizable=true", returncode=FAILED)
        if not here and not queueing.is_there():
            message = "the queue (REDIS_URL) cannot be reached, so no worker can be called; start it, or do the work --here"
            raise CommandError(message, returncode=FAILED)
        if retry and not starting.failed(one).exists():
            raise CommandError(f"no object of {choice.name_of(one)} has failed; there is nothing to retry", returncode=FAILED)
        if not (one.run and one.run.active):
            self.reach(one)
        run = (following.unqueued if here else following.queued)(one, retry=retry, snapshot=snapshot)
        if run is None and snapshot:
            message = f"a run of {choice.name_of(one)} is queued or under way; wait for its end or cancel it"
            raise CommandError(message, returncode=FAILED)
        if run is None:
            one.refresh_from_db(fields=["run"])
            run = one.run
            self.stderr.write(f"run {run.pk} is {run.state} already; following it")
        try:
            told = (following.here if here else following.follow)(run, self.stderr.write)
        except following.Interrupted:
            raise CommandError(following.goes_on(run, one), returncode=STOPPED) from None
        except status.LeaseLost:
            raise CommandError(f"{choice.name_of(one)} was deleted meanwhile", returncode=FAILED) from None
        self.finish(told)

    def reach(self, one: Storage) -> None:
        """The quick check of the API; what it finds is a failed run there, too."""
        try:
            starting.reach(one)
        except StorageError as error:
            run = jobs.record_failure(one, None, error, trigger=following.TRIGGER)
            if run is not None and self.json:
                printing.document(self.stdout, printing.shape(run))
            raise

    def finish(self, told: dict[str, Any]) -> None:
        if self.json:
            printing.document(self.stdout, told)
        else:
            self.stdout.write(printing.summary(told))
        if told["state"] != State.COMPLETED:
            error = printing.line(f": {told['error']['message']}") if told["error"] else ""
            flag = "" if told["kind"] == "retry" or told["counters"]["vanished"] is not None else " --export"
            hint = f"storage runs {told['type']}/{told['storage']}{flag} --issues {told['id']}"
            raise CommandError(f"{told['state']}{error}" if error else f"{told['state']}; see '{hint}'", returncode=FAILED)

    def runs(self, one: Storage, issues: int | None, limit: int) -> None:
        model = status.runs_of(one)
        if issues is not None:
            return self.issues(choice.run(one, issues), limit)
        rows = model.objects.filter(storage_id=one.pk).values(*columns(model))[:limit]
        told = [printing.shape_of(model, row) for row in rows]
        if self.json:
            return printing.document(self.stdout, told)
        names = ("listed", "new", "existing", "changed", "vanished", "failed")
        head = ("run", "trigger", "state", "queued", "seconds", *names, "error")
        return printing.table(self.stdout, head, [self.row(one, names) for one in told])

    def row(self, told: dict[str, Any], names: tuple[str, ...]) -> list[Any]:
        seconds = None if told["duration"] is None else f"{told['duration']:.1f}"
        numbers = [told["counters"][name] for name in names]
        error = told["error"]["message"] if told["error"] else ""
        return [told["id"], told["trigger"], told["state"], told["queued_at"], seconds, *numbers, error]

    def issues(self, run: Run, limit: int) -> None:
        names = ("key", "row", "code", "message")
        rows = list(run.issues.order_by("id").values("id", *names, "created_at")[:limit])
        if self.json:
            return printing.document(self.stdout, rows)
        return printing.table(self.stdout, names, [[row[name] for name in names] for row in rows])

    def cancel(self, one: Storage) -> None:
        run = status.runs_of(one).objects.filter(storage_id=one.pk).first()
        if run is None or not jobs.cancel(run, None):
            raise CommandError(f"no sync of {choice.name_of(one)} is queued or running", returncode=FAILED)
        told = printing.shape(run)
        return printing.document(self.stdout, told) if self.json else self.stdout.write(printing.summary(told))
