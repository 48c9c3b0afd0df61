"""Tasks, annotations and predictions. Indexes are few on purpose: a sync inserts millions of rows."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from projects.models import Project

USER = settings.AUTH_USER_MODEL


class Task(models.Model):
    """One item to label; ``data`` maps data keys of the label config to values or storage URIs."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="tasks", db_index=False)
    inner_id = models.BigIntegerField(help_text="1, 2, 3 … within the project")
    data = models.JSONField()
    meta = models.JSONField(null=True, default=dict)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    updated_by = models.ForeignKey(USER, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    overlap = models.IntegerField(default=1)
    allow_skip = models.BooleanField(default=True)
    is_labeled = models.BooleanField(default=False)
    total_annotations = models.IntegerField(default=0, help_text="without cancelled ones")
    cancelled_annotations = models.IntegerField(default=0)
    total_predictions = models.IntegerField(default=0)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["project", "id"], name="task_page")]


class Annotation(models.Model):
    """A person's labels on a task."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="annotations")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="annotations", db_index=False)
    result = models.JSONField(null=True, default=None)
    completed_by = models.ForeignKey(USER, null=True, on_delete=models.SET_NULL, related_name="annotations", db_index=False)
    was_cancelled = models.BooleanField(default=False)
    ground_truth = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    updated_by = models.ForeignKey(USER, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    last_created_by = models.ForeignKey(USER, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    draft_created_at = models.DateTimeField(null=True, default=None)
    lead_time = models.FloatField(null=True, default=None, help_text="seconds")
    import_id = models.BigIntegerField(null=True, default=None)
    last_action = models.CharField(max_length=128, null=True, default=None)
    bulk_created = models.BooleanField(default=False)
    unique_id = models.UUIDField(default=uuid.uuid4, unique=True)
    parent_prediction = models.BigIntegerField(null=True, default=None)
    parent_annotation = models.BigIntegerField(null=True, default=None)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["project", "id"], name="annotation_page"),
            models.Index(fields=["project"], condition=models.Q(ground_truth=True), name="annotation_ground_truth"),
        ]


class Prediction(models.Model):
    """A model's proposal for a task."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="predictions")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="predictions", db_index=False)
    result = models.JSONField()
    score = models.FloatField(null=True, default=None)
    model_version = models.TextField(null=True, default="")
    cluster = models.IntegerField(null=True, default=None)
    neighbors = models.JSONField(null=True, default=None)
    mislabeling = models.FloatField(default=0.0)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["project", "id"], name="prediction_page")]
