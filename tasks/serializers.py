"""Checks request bodies about tasks, annotations and predictions. Server-managed keys are ignored on input."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from projects.fields import BigInteger, FiniteFloat, KeyField, StorableJSON, StorableObject
from tasks.models import Annotation
from tasks.validation import RowInvalid, parse_result


@extend_schema_field({"type": "array", "items": {"type": "object"}, "nullable": True})
class ResultField(serializers.Field):
    """An annotation's result: a list of regions, or its JSON text."""

    def to_internal_value(self, data: Any) -> list | None:
        try:
            return parse_result(data)
        except RowInvalid as error:
            raise serializers.ValidationError(str(error)) from None

    def to_representation(self, value: Any) -> Any:
        return value


class TaskWrite(serializers.Serializer):
    """Keys of a task that its owner may change. ``project`` is where it is created; later it stays there."""

    data = StorableObject()
    meta = StorableObject(required=False, allow_null=True)
    allow_skip = serializers.BooleanField(required=False)
    project = KeyField(required=False)


class AnnotationWrite(serializers.Serializer):
    """Keys of an annotation that its author may give; ``completed_by`` is whoever signed in unless named."""

    result = ResultField(required=False, allow_null=True)
    completed_by = KeyField(required=False, allow_null=True)
    was_cancelled = serializers.BooleanField(required=False)
    ground_truth = serializers.BooleanField(required=False)
    lead_time = FiniteFloat(required=False, allow_null=True)
    draft_created_at = serializers.DateTimeField(required=False, allow_null=True)
    import_id = BigInteger(required=False, allow_null=True)
    last_action = serializers.CharField(max_length=128, required=False, allow_null=True)
    bulk_created = serializers.BooleanField(required=False)
    unique_id = serializers.UUIDField(required=False)
    parent_prediction = BigInteger(required=False, allow_null=True)
    parent_annotation = BigInteger(required=False, allow_null=True)

    def validate_unique_id(self, value: Any) -> Any:
        if Annotation.objects.filter(unique_id=value).exclude(pk=self.instance.pk if self.instance else None).exists():
            raise serializers.ValidationError("another annotation has this unique_id; leave it out to get a fresh one")
        return value


class AnnotationBulk(AnnotationWrite):
    """One annotation for many tasks: ``tasks``, or a selection among the tasks of ``project``."""

    tasks = serializers.ListField(child=KeyField(), required=False, allow_null=True, max_length=10_000)
    project = KeyField(required=False, allow_null=True)
    selected_items = serializers.JSONField(required=False, allow_null=True)
    unique_id = None


class AnnotationBulkDelete(serializers.Serializer):
    """At most 100 annotations of one project."""

    ids = serializers.ListField(child=KeyField(), min_length=1, max_length=100)
    project = KeyField()


class PredictionWrite(serializers.Serializer):
    """Keys of a prediction; ``task`` is where it is created, later it stays there."""

    task = KeyField()
    result = StorableJSON()
    score = FiniteFloat(required=False, allow_null=True)
    model_version = serializers.CharField(required=False, allow_null=True, allow_blank=True)
    cluster = serializers.IntegerField(required=False, allow_null=True, min_value=-(2**31), max_value=2**31 - 1)
    neighbors = StorableJSON(required=False, allow_null=True)
    mislabeling = FiniteFloat(required=False)


class ActionWrite(serializers.Serializer):
    """Which tasks an action is for."""

    selectedItems = serializers.JSONField(required=False, allow_null=True)  # noqa: N815  the wire's name
    filters = serializers.JSONField(required=False, allow_null=True)
    ordering = serializers.JSONField(required=False, allow_null=True)
