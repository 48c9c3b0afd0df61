"""Form layouts derived from a backend's columns, and the small request and answer shapes of the storage views."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.validators import BaseValidator
from django.db import models
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from storages.base import Backend, Storage
from storages.fields import SecretField

IMPORT_METHODS = [
    {"value": True, "label": "Files - automatically create a task for each storage object"},
    {"value": False, "label": "Tasks - treat each JSON or JSONL file as task definitions"},
]
POLICY_ROWS = (
    ("changed_policy", "vanished_policy", "renamed_policy"),
    ("vanished_cap", "sync_workers", "sync_reads"),
)
NAMING_ROWS = (("object_form", "key_template"),)  # of every target
COMMON_ROWS = (("sync_schedule", "sync_timezone"), ("webhook_url", "webhook_secret"))  # of every storage


class StorageType(serializers.Serializer):
    """One backend of the types listing."""

    name = serializers.CharField()
    title = serializers.CharField()


class PreviewFile(serializers.Serializer):
    """One object of a preview; all null: there is more."""

    key = serializers.CharField(allow_null=True)
    last_modified = serializers.DateTimeField(allow_null=True)
    size = serializers.IntegerField(allow_null=True, help_text="bytes")


class FilesPreview(serializers.Serializer):
    """The answer of a files preview."""

    files = PreviewFile(many=True)


def sync_on_creation() -> bool:
    return settings.SYNC_ON_TARGET_STORAGE_CREATION


def parse_limit(value: Any) -> int:
    """The number of rows asked for, at least 1; the default when absent. Raises ValidationError."""
    if value is None:
        return settings.DEFAULT_STORAGE_LIST_LIMIT
    try:
        return max(serializers.IntegerField(max_value=10_000).run_validation(value), 1)
    except ValidationError as error:
        raise ValidationError({"limit": error.detail}) from None


def parse_flag(parameters: Mapping[str, str], name: str) -> bool:
    """A query parameter that is true or false, false when absent. Raises ValidationError."""
    try:
        return serializers.BooleanField().run_validation(parameters.get(name, False))
    except ValidationError as error:
        raise ValidationError({name: error.detail}) from None


def layout(backend: Backend, model: type[Storage], direction: str) -> list[dict[str, Any]]:
    """Rows of ``{"columnCount", "fields"}`` (contract.md §1.7): the backend's own, then those that every storage has."""
    rows = (*backend.import_form, *POLICY_ROWS) if direction == "import" else (*backend.export_form, *NAMING_ROWS)
    rows = (*rows, *COMMON_ROWS)
    return [{"columnCount": len(row), "fields": [describe(model, name) for name in row]} for row in rows]


def describe(model: type[Storage], declared: str) -> dict[str, Any]:
    """One form field from its column; a ``*`` behind the declared name marks it as required."""
    name = declared.rstrip("*")
    column = model._meta.get_field(name)
    field: dict[str, Any] = {"type": "text", "name": name, "label": label_of(column)}
    if declared.endswith("*"):
        field["required"] = True
    if column.help_text:
        field["description"] = str(column.help_text)
    if isinstance(column, SecretField):
        field |= {"type": "password", "autoComplete": "new-password", "skipAutofill": True, "protectedValue": True}
    elif name == "use_blob_urls":
        field |= {"type": "select", "options": IMPORT_METHODS, "value": False}
    elif isinstance(column, models.BooleanField):
        field |= {"type": "toggle", "value": bool(column.get_default())}
    elif column.choices:
        field |= {"type": "select", "options": [{"value": value, "label": label} for value, label in column.choices]}
        field["value"] = column.get_default()
    elif isinstance(column, models.IntegerField):
        field |= {"type": "counter", "min": 1}
    if name == "presign_ttl":
        field |= {"value": 15, "dependency": "presign"}
    elif name == "regex_filter":
        field |= {"placeholder": r".*csv or .*(jpe?g|png|tiff) or .\w+-\d+.text", "validators": ["regexp"]}
    elif any(name in row for row in (*POLICY_ROWS, *COMMON_ROWS)):
        field |= preset(column)
    return field


def preset(column: models.Field) -> dict[str, Any]:
    """The column's default as ``value``, and the limits of a number as ``min`` and ``max``."""
    limits = {check.code: check.limit_value for check in column.validators if isinstance(check, BaseValidator)}
    number = {"min": limits["min_value"], "max": limits["max_value"]} if isinstance(column, models.IntegerField) else {}
    default = column.get_default()
    return number | ({} if default in (None, "") else {"value": getattr(default, "value", default)})


def label_of(column: models.Field) -> str:
    """The column's own wording, else its name as a sentence."""
    plain = column.name.replace("_", " ")
    return plain.capitalize() if column.verbose_name == plain else str(column.verbose_name)
