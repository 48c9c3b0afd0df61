"""What a form of storage settings sends, as values of its columns; knows no draft and no rules."""

from collections.abc import Collection
from typing import Any

from django.db import models
from django.http import QueryDict

from storages.fields import SecretField

LONGEST = 100_000  # characters of one value; the JSON keys of cloud accounts have about 2,400
TRUE = "true"


def read_values(post: QueryDict, model: type[models.Model], names: Collection[str]) -> dict[str, Any]:
    """Values by name. Controls that were not sent are left out, but for switches: off ones are never sent.

    A secret that is empty is left out too: it stays what it is; None where only its ``clear-…`` box is ticked.
    """
    values: dict[str, Any] = {}
    for name in names:
        column, text = model._meta.get_field(name), post.get(name)
        if isinstance(column, SecretField):
            if text:
                values[name] = text[:LONGEST]
            elif is_ticked(post, name):
                values[name] = None if column.null else ""
        elif isinstance(column, models.BooleanField) and name != "use_blob_urls":  # which is a select
            values[name] = text == TRUE
        elif text is not None:
            values[name] = text[:LONGEST]
    return values


def is_ticked(post: QueryDict, name: str) -> bool:
    """Whether what is stored of the secret ``name`` is to be removed."""
    return post.get(f"clear-{name}") == TRUE
