"""What a source does about objects that changed, vanished or were renamed since they were imported; columns only."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models


class ChangedPolicy(models.TextChoices):
    IGNORE = "ignore", "Ignore - tasks stay as they were imported"
    FLAG = "flag", "Flag - mark the tasks"
    UPDATE = "update", "Update - take over the new data, keep annotations"


class VanishedPolicy(models.TextChoices):
    KEEP = "keep", "Keep - tasks stay"
    FLAG = "flag", "Flag - mark the tasks"
    DELETE = "delete", "Delete - remove tasks without annotations, mark the others"


class RenamedPolicy(models.TextChoices):
    NEW = "new", "New - a renamed object becomes a new task"
    FOLLOW = "follow", "Follow - the task goes with the object"


class SyncPolicies(models.Model):
    """Columns of every source."""

    changed_policy = models.CharField(
        "Changed objects", max_length=8, choices=ChangedPolicy.choices, default=ChangedPolicy.IGNORE
    )
    vanished_policy = models.CharField(
        "Vanished objects", max_length=8, choices=VanishedPolicy.choices, default=VanishedPolicy.KEEP
    )
    renamed_policy = models.CharField(
        "Renamed objects", max_length=8, choices=RenamedPolicy.choices, default=RenamedPolicy.NEW,
        help_text="Renamed: the same size and version (ETag) under a new key, the old key gone",
    )  # fmt: skip
    vanished_cap = models.PositiveSmallIntegerField(
        "Most tasks to delete (percent)", default=20, validators=[MaxValueValidator(100)],
        help_text="A sync that would delete more of the storage's tasks than this stops and says so",
    )  # fmt: skip
    sync_workers = models.PositiveSmallIntegerField(
        "Workers at a time", default=4, validators=[MinValueValidator(1), MaxValueValidator(64)],
        help_text="How many workers list and import at the same time",
    )  # fmt: skip
    sync_reads = models.PositiveSmallIntegerField(
        "Reads in flight", default=32, validators=[MinValueValidator(1), MaxValueValidator(256)],
        help_text="How many objects one worker reads at the same time",
    )  # fmt: skip

    class Meta:
        abstract = True
