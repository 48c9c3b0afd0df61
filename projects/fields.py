"""Serializer fields that refuse what a database or a JSON answer cannot hold."""

import math
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from projects.jsontext import NotStorable, dump


class StorableJSON(serializers.JSONField):
    """Any JSON value that both databases take: finite numbers, no U+0000, whole characters."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            dump(data)
        except NotStorable as error:
            raise serializers.ValidationError(f"it cannot be stored: {error}") from None
        return data


@extend_schema_field({"type": "object", "additionalProperties": True})
class StorableObject(StorableJSON):
    """A JSON object, and nothing else."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise serializers.ValidationError("it must be an object")
        return super().to_internal_value(data)


class FiniteFloat(serializers.FloatField):
    """A number; ``nan`` and infinities are refused."""

    def to_internal_value(self, data: Any) -> float:
        try:
            value = super().to_internal_value(data)
        except OverflowError:
            raise serializers.ValidationError("it is too large") from None
        if not math.isfinite(value):
            raise serializers.ValidationError("it must be a finite number")
        return value


class BigInteger(serializers.IntegerField):
    """A whole number of at most 64 bits."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"min_value": -(2**63), "max_value": 2**63 - 1, **options})


class KeyField(BigInteger):
    """A primary key in a request body."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, **options)
