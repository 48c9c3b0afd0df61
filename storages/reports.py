"""Leaves a run's issues behind: at most so many, the run's counters know how many there were."""

from collections.abc import Sequence

from django.utils import timezone

from storages.runs import ImportIssue, ImportRun
from storages.sync.batch import Finding
from tasks.bulk import insert_rows

LIMIT = 10_000  # issues kept per run
COLUMNS = ("run_id", "key", "row", "code", "message", "created_at")


def report(run: ImportRun, findings: Sequence[Finding]) -> None:
    """Saves ``findings`` in the caller's transaction; those beyond LIMIT are dropped."""
    if findings:
        room, now = max(LIMIT - run.issues.count(), 0), timezone.now()
        insert_rows(ImportIssue, COLUMNS, [(run.pk, f.key, f.row, f.code, f.message, now) for f in findings[:room]])


def notify(run: ImportRun, keys: Sequence[str], code: str, message: str) -> None:
    """The same for objects about which there is something to say, but which are no failures."""
    report(run, [Finding(key, None, code, message) for key in keys])
