"""Every sync is a row: who started it, what it did, what went wrong. States change only through storages.status."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from storages.base import ExportStorage, ImportStorage


class State(models.TextChoices):
    """Label Studio's six values (contract.md §5) and one of ours; a storage without a run is ``initialized``."""

    INITIALIZED = "initialized"
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    FAILED = "failed"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    CANCELLED = "cancelled"  # ours alone; Label Studio's status says ``failed``


ACTIVE = (State.QUEUED, State.IN_PROGRESS)


class Run(models.Model):
    """One sync. ``lease`` names the worker that owns it; only the owner of a live lease may write."""

    state = models.CharField(max_length=24, choices=State.choices, default=State.QUEUED)
    trigger = models.CharField(max_length=24, default="api", help_text="what started it: api, page, create, demo, schedule")
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    attempt = models.PositiveIntegerField(default=1, help_text="1 for the storage's first run")
    job_id = models.CharField(max_length=64)
    lease = models.CharField(max_length=64, default="", blank=True)
    heartbeat = models.DateTimeField(default=timezone.now, help_text="last sign of life of the owner")
    queued_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, default=None)
    finished_at = models.DateTimeField(null=True, default=None)
    cursor = models.TextField(default="", blank=True, help_text="everything up to here is committed")
    listed = models.BigIntegerField(default=0, help_text="objects that passed the filter, or annotations looked at")
    created = models.BigIntegerField(default=0, help_text="tasks created, or objects written")
    existed = models.BigIntegerField(default=0, help_text="tasks that were there already")
    ignored = models.BigIntegerField(default=0, help_text="objects that the filter left out")
    failed = models.BigIntegerField(default=0, help_text="objects or rows with an issue")
    total = models.BigIntegerField(null=True, default=None, help_text="known for exports and retries")
    bytes = models.BigIntegerField(default=0, help_text="received from the storage")
    requests = models.BigIntegerField(default=0, help_text="sent to the storage")
    error_code = models.CharField(max_length=32, default="", blank=True)
    error = models.TextField(default="", blank=True)
    webhook_due = models.DateTimeField(null=True, default=None, help_text="when its end is told (again); null: nothing to tell")
    webhook_attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        abstract = True
        ordering = ["-id"]

    @property
    def active(self) -> bool:
        return self.state in ACTIVE


class Issue(models.Model):
    """One object or row that could not be dealt with, and why; its neighbours were."""

    key = models.TextField()
    row = models.BigIntegerField(null=True, default=None, help_text="0-based row inside the object, null: the whole object")
    code = models.CharField(max_length=32)
    message = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        abstract = True
        ordering = ["id"]

    def __str__(self) -> str:
        place = self.key if self.row is None else f"{self.key} row {self.row}"
        return f"{place}: {self.message}"


def _one_active(name: str) -> models.UniqueConstraint:
    return models.UniqueConstraint(fields=["storage"], condition=models.Q(state__in=ACTIVE), name=name)


def _due(name: str) -> models.Index:
    return models.Index(fields=["webhook_due"], condition=models.Q(webhook_due__isnull=False), name=name)


class ImportRun(Run):
    """A sync of a source."""

    class Kind(models.TextChoices):
        SYNC = "sync"
        RETRY = "retry"  # only the objects that failed before

    storage = models.ForeignKey(ImportStorage, on_delete=models.CASCADE, related_name="runs")
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.SYNC)
    resumes = models.ForeignKey(
        "self", null=True, default=None, on_delete=models.SET_NULL, related_name="+", db_index=False,
        help_text="the unfinished run whose place in the listing this one starts from",
    )  # fmt: skip
    watermark = models.BigIntegerField(
        default=0, help_text="rows of links (or object states) up to this id are older than the run"
    )
    scope = models.CharField(max_length=64, default="", help_text="of the storage when the run began")
    settled = models.BigIntegerField(default=0, help_text="listed objects whose fate is decided; all of them when it completes")
    changed = models.BigIntegerField(default=0, help_text="objects that differ from what was imported")
    vanished = models.BigIntegerField(default=0, help_text="objects that were imported and are not there any more")
    renamed = models.BigIntegerField(default=0, help_text="vanished objects whose task went to a new key")

    class Meta(Run.Meta):
        constraints = [_one_active("one_active_import_run")]
        indexes = [_due("import_webhooks_due")]


class ExportRun(Run):
    """A sync of a target, or a snapshot written to it."""

    class Kind(models.TextChoices):
        SYNC = "sync"
        SNAPSHOT = "snapshot"
        RETRY = "retry"  # only the objects that failed before

    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.SYNC)
    format = models.CharField(max_length=8, default="", blank=True, help_text="of a snapshot: jsonl or parquet")
    place = models.TextField(default="", blank=True, help_text="of a snapshot: the folder that it is written to")
    storage = models.ForeignKey(ExportStorage, on_delete=models.CASCADE, related_name="runs")
    only_new = models.BooleanField(default=False, help_text="leaves out what was written since its last change")

    class Meta(Run.Meta):
        constraints = [_one_active("one_active_export_run")]
        indexes = [_due("export_webhooks_due")]


class ImportIssue(Issue):
    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="issues")


class ExportIssue(Issue):
    run = models.ForeignKey(ExportRun, on_delete=models.CASCADE, related_name="issues")
