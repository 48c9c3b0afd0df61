"""Every sync is a row: who started it, what it did, what went wrong. States change only through storages.status."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from storages.base import ExportStorage, ImportStorage


class State(models.TextChoices):
    """Label Studio's six values (contract.md §5); a storage without a run is ``initialized``."""

    INITIALIZED = "initialized"
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    FAILED = "failed"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"


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
    total = models.BigIntegerField(null=True, default=None, help_text="known only for exports")
    error_code = models.CharField(max_length=32, default="", blank=True)
    error = models.TextField(default="", blank=True)

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


class ImportRun(Run):
    """A sync of a source."""

    storage = models.ForeignKey(ImportStorage, on_delete=models.CASCADE, related_name="runs")

    class Meta(Run.Meta):
        constraints = [_one_active("one_active_import_run")]


class ExportRun(Run):
    """A sync of a target."""

    storage = models.ForeignKey(ExportStorage, on_delete=models.CASCADE, related_name="runs")
    only_new = models.BooleanField(default=False, help_text="leaves out what was written since its last change")

    class Meta(Run.Meta):
        constraints = [_one_active("one_active_export_run")]


class ImportIssue(Issue):
    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="issues")


class ExportIssue(Issue):
    run = models.ForeignKey(ExportRun, on_delete=models.CASCADE, related_name="issues")
