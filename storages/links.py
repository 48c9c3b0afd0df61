"""What is known of single objects: which task came from which row, which annotation went to which key.

Think of 100 million rows: the unique index holds a 16-byte digest of the key instead of up to 1,024 bytes of text.
"""

import hashlib

from django.db import models
from django.utils import timezone

from storages.base import ExportStorage, ImportStorage
from storages.runs import ExportRun
from tasks.models import Task


def key_digest(key: str) -> bytes:
    """16 bytes that stand for a key in unique indexes (BLAKE2b-128; RFC 7693)."""
    return hashlib.blake2b(key.encode(), digest_size=16).digest()


class Flag(models.TextChoices):
    """What the policies "flag" leave at a link until the object is as it was."""

    NONE = ""
    CHANGED = "changed"
    VANISHED = "vanished"


class ImportLink(models.Model):
    """The task made from one row of one object; a whole object counts as row 0 of group 0."""

    storage = models.ForeignKey(ImportStorage, on_delete=models.CASCADE, related_name="links", db_index=False)
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="import_links")
    digest = models.BinaryField(max_length=16)
    row_group = models.IntegerField(default=0)
    row_index = models.BigIntegerField(default=0)
    key = models.TextField()
    size = models.BigIntegerField(default=0, help_text="bytes")
    modified = models.DateTimeField(null=True, default=None)
    etag = models.TextField(default="")
    flag = models.CharField(max_length=8, choices=Flag.choices, db_default="", default="", blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["storage", "digest", "row_group", "row_index"], name="one_task_per_row"),
        ]
        indexes = [models.Index(fields=["storage", "id"], condition=~models.Q(flag=""), name="flagged_links")]


class ObjectState(models.Model):
    """What is known of an object that holds rows; lets a half-read or grown file be read again and finished."""

    class Progress(models.TextChoices):
        DONE = "done"
        FAILED = "failed"
        READING = "reading"  # its first rows are committed; ``row_group``, ``row_index`` and ``offset`` name the next one

    storage = models.ForeignKey(ImportStorage, on_delete=models.CASCADE, related_name="object_states", db_index=False)
    digest = models.BinaryField(max_length=16)
    key = models.TextField()
    size = models.BigIntegerField(default=0, help_text="bytes")
    modified = models.DateTimeField(null=True, default=None)
    etag = models.TextField(default="")
    state = models.CharField(max_length=8, choices=Progress.choices)
    rows = models.BigIntegerField(default=0, help_text="rows that have a task; counted when it was read to its end")
    run_id = models.BigIntegerField(
        default=0, db_default=0, help_text="the run that read it; not a foreign key, runs may be deleted"
    )
    row_group = models.IntegerField(default=0, db_default=0)
    row_index = models.BigIntegerField(default=0, db_default=0)
    offset = models.BigIntegerField(default=0, db_default=0, help_text="byte at which that row begins, 0: not known")
    changed = models.BooleanField(default=False, db_default=False, help_text="that run read it because it had changed")
    refused = models.BigIntegerField(default=0, db_default=0, help_text="rows with an issue")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["storage", "digest"], name="one_state_per_object")]
        indexes = [models.Index(fields=["storage", "id"], condition=models.Q(state="failed"), name="failed_objects")]


class Form(models.TextChoices):
    """What one exported object holds."""

    ANNOTATION = "annotation"
    TASK = "task"


class ExportLink(models.Model):
    """The object that holds an annotation (or a task with its annotations) in a target."""

    storage = models.ForeignKey(ExportStorage, on_delete=models.CASCADE, related_name="links", db_index=False)
    form = models.CharField(max_length=10, choices=Form.choices)
    subject = models.BigIntegerField(help_text="annotation id or task id; not a foreign key, it outlives its row")
    key = models.TextField()
    key_digest = models.BinaryField(max_length=16, default=b"", help_text="of the key, which may be too long for an index")
    digest = models.BinaryField(max_length=16, help_text="of the body as written; empty while that is not known")
    exported_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["storage", "form", "subject"], name="one_object_per_subject")]
        indexes = [models.Index(fields=["key_digest", "storage"], name="exported_keys")]

    def save(self, *args: object, **kwargs: object) -> None:
        self.key_digest = key_digest(self.key)
        super().save(*args, **kwargs)


class ExportTrace(models.Model):
    """All that is left of a link whose target is gone or writes elsewhere now; see traces. No foreign keys: it outlives all."""

    pk = models.CompositePrimaryKey("organization_id", "place", "key_digest")
    organization_id = models.BigIntegerField()
    place = models.BinaryField(max_length=16, help_text="digest of the place that the object was written to")
    key_digest = models.BinaryField(max_length=16)


class OutboxItem(models.Model):
    """A subject whose object in the target may be out of date. Written in the transaction of the change itself,

    removed only after the object was written, and only if ``version`` did not move meanwhile.
    """

    # no constraint in the database: a target that is deleted meanwhile must not fail an annotator's save
    storage = models.ForeignKey(
        ExportStorage, on_delete=models.CASCADE, related_name="outbox", db_index=False, db_constraint=False
    )
    form = models.CharField(max_length=10, choices=Form.choices)
    subject = models.BigIntegerField()
    version = models.BigIntegerField(default=1)
    run = models.ForeignKey(ExportRun, null=True, default=None, on_delete=models.SET_NULL, related_name="outbox")
    claim = models.CharField(max_length=64, default="", blank=True)
    due = models.DateTimeField(default=timezone.now, help_text="not to be taken before; moved on by a claim and by back-off")
    attempts = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["storage", "form", "subject"], name="one_outbox_item_per_subject")]
        indexes = [models.Index(fields=["storage", "due"], name="outbox_due")]
