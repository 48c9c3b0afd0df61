"""A labeling project: its settings, its label config, and counters kept right by the tasks app."""

from django.conf import settings
from django.db import models

from users.models import Organization


class Project(models.Model):
    """Field names are Label Studio's; counters are written only by tasks.counters."""

    title = models.CharField(max_length=50, blank=True, default="")
    description = models.TextField(blank=True, null=True, default="")
    label_config = models.TextField(blank=True, null=True, default="<View></View>")
    expert_instruction = models.TextField(blank=True, null=True, default="")
    show_instruction = models.BooleanField(default=False)
    show_skip_button = models.BooleanField(default=True)
    enable_empty_annotation = models.BooleanField(default=True)
    show_annotation_history = models.BooleanField(default=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="projects")
    color = models.CharField(max_length=16, blank=True, null=True, default="#FFFFFF")
    maximum_annotations = models.IntegerField(default=1)
    is_published = models.BooleanField(default=False)
    is_draft = models.BooleanField(default=False)
    model_version = models.TextField(blank=True, null=True, default="")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    min_annotations_to_start_training = models.IntegerField(default=0)
    show_collab_predictions = models.BooleanField(default=True)
    sampling = models.CharField(max_length=100, null=True, default="Sequential sampling")
    show_ground_truth_first = models.BooleanField(default=False)
    show_overlap_first = models.BooleanField(default=False)
    overlap_cohort_percentage = models.IntegerField(default=100)
    control_weights = models.JSONField(null=True, default=dict)
    evaluate_predictions_automatically = models.BooleanField(default=False)
    skip_queue = models.CharField(max_length=100, null=True, default="REQUEUE_FOR_OTHERS")
    reveal_preannotations_interactively = models.BooleanField(default=False)
    pinned_at = models.DateTimeField(null=True, default=None)

    last_inner_id = models.BigIntegerField(default=0, help_text="highest inner_id given to a task")
    task_number = models.BigIntegerField(default=0)
    finished_task_number = models.BigIntegerField(default=0)
    num_tasks_with_annotations = models.BigIntegerField(default=0)
    total_annotations_number = models.BigIntegerField(default=0, help_text="without skipped ones")
    skipped_annotations_number = models.BigIntegerField(default=0)
    ground_truth_number = models.BigIntegerField(default=0)
    total_predictions_number = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
