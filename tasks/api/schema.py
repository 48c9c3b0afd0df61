"""Answers of the tasks API as OpenAPI shows them; nothing is serialized through these classes."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from tasks.models import Annotation, Prediction, Task

PAGING = [OpenApiParameter("page", int, description="from 1; past the end 404"), OpenApiParameter("page_size", int)]
SIGNED_LINKS = OpenApiParameter(
    "signed_links", bool, description="links that need no cookie or token and expire; default: the setting MEDIA_SIGNED_LINKS"
)
RESOLVE = OpenApiParameter("resolve_uri", bool, description="default true: storage URIs become links a browser can load")


class AnnotationShape(serializers.ModelSerializer):
    result = serializers.ListField(child=serializers.DictField(), allow_null=True)
    created_username = serializers.CharField()
    created_ago = serializers.CharField()

    class Meta:
        model = Annotation
        exclude = ["unique_id"]


class PredictionShape(serializers.ModelSerializer):
    created_ago = serializers.CharField()
    model = serializers.IntegerField(allow_null=True)
    model_run = serializers.IntegerField(allow_null=True)

    class Meta:
        model = Prediction
        fields = "__all__"


class FlatTask(serializers.ModelSerializer):
    comment_count = serializers.IntegerField()
    unresolved_comment_count = serializers.IntegerField()
    last_comment_updated_at = serializers.DateTimeField(allow_null=True)
    comment_authors = serializers.ListField()
    file_upload = serializers.CharField(allow_null=True)
    storage_filename = serializers.CharField(allow_null=True)

    class Meta:
        model = Task
        fields: Any = "__all__"


class TaskShape(FlatTask):
    annotations = AnnotationShape(many=True)
    predictions = PredictionShape(many=True)
    drafts = serializers.ListField()
    annotators = serializers.ListField(child=serializers.IntegerField())
    updated_by = serializers.ListField(child=serializers.DictField())
    completed_at = serializers.DateTimeField(allow_null=True)
    annotations_ids = serializers.CharField()
    annotations_results = serializers.CharField()
    predictions_results = serializers.CharField()
    predictions_model_versions = serializers.CharField()
    predictions_score = serializers.FloatField(allow_null=True)
    avg_lead_time = serializers.FloatField(allow_null=True)
    draft_exists = serializers.BooleanField()


class TaskPage(serializers.Serializer):
    tasks = TaskShape(many=True)
    total = serializers.IntegerField()
    total_annotations = serializers.IntegerField()
    total_predictions = serializers.IntegerField()


class ImportReport(serializers.Serializer):
    task_count = serializers.IntegerField()
    annotation_count = serializers.IntegerField(allow_null=True)
    prediction_count = serializers.IntegerField(allow_null=True)
    duration = serializers.FloatField(help_text="seconds")
    file_upload_ids = serializers.ListField(child=serializers.IntegerField())
    could_be_tasks_list = serializers.BooleanField()
    found_formats = serializers.ListField(child=serializers.CharField())
    data_columns = serializers.ListField(child=serializers.CharField())
    task_ids = serializers.ListField(child=serializers.IntegerField(), required=False)


class CreatedCount(serializers.Serializer):
    created = serializers.IntegerField()


class CreatedId(serializers.Serializer):
    id = serializers.IntegerField()


class DeletedCount(serializers.Serializer):
    deleted_count = serializers.IntegerField()


class Format(serializers.Serializer):
    name = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    link = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())


class Action(serializers.Serializer):
    id = serializers.CharField()
    title = serializers.CharField()
    order = serializers.IntegerField()


class ActionReport(serializers.Serializer):
    processed_items = serializers.IntegerField()
    detail = serializers.CharField()
