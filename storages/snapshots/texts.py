"""Tasks as JSON texts put together from what the database holds as JSON text: parsing it first would take half of the time.

A task has the members of a JSON export (tasks.payloads) but ``result_count``, and its predictions whole.
"""

import json
from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from projects.jsontext import dump
from tasks.payloads import export_task
from tasks.shapes import UNDEFINED, Row, Users, exported_annotation_shape, rename_undefined
from tasks.stamps import stamped

TEXTS = ("data", "meta", "annotations", "predictions")


def as_stored(rows: QuerySet, columns: Sequence[str], *raw: str) -> list[dict[str, Any]]:
    """Rows by rising id, the columns ``raw`` as JSON text ("null" for NULL), times as stamps."""
    texts = [Cast(name, TextField()) for name in raw]
    names = (*(name for name in columns if name not in raw), *raw)
    found = rows.order_by("id").values_list(*stamped(names[: -len(raw)]), *texts)
    made = [dict(zip(names, row, strict=True)) for row in found]
    for name in raw:
        for row in made:
            if row[name] is None:
                row[name] = "null"
    return made


def texts_of(
    task: Row, annotations: Sequence[Row], predictions: Sequence[Row], users: Users, key: str | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """A task of rows ``as_stored``: its plain members, and the JSON texts of TEXTS. ``key``: where ``$undefined$`` is shown."""
    plain = export_task(task, (), [], users, None)
    texts = {"data": plain.pop("data"), "meta": plain.pop("meta")}
    if key and UNDEFINED in texts["data"]:
        texts["data"] = dump(rename_undefined(json.loads(texts["data"]), key))
    del plain["annotations"], plain["predictions"]
    texts["annotations"] = f"[{','.join([_annotation(row, users) for row in annotations])}]"
    texts["predictions"] = f"[{','.join([_prediction(row) for row in predictions])}]"
    return plain, texts


def _annotation(row: Row, users: Users) -> str:
    shape = exported_annotation_shape(row, users)
    del shape["result_count"]  # of the text
    return spliced(shape, {"result": shape.pop("result")})


def _prediction(row: Row) -> str:
    """Whole, where other exports name its id, so that an import can read it."""
    names = ("id", "score", "model_version", "cluster", "mislabeling", "created_at", "updated_at")
    shape = {name: row[name] for name in names}
    return spliced(shape, {"result": row["result"], "neighbors": row["neighbors"]})


def spliced(plain: dict[str, Any], texts: dict[str, str]) -> str:
    """The JSON object of ``plain`` (not empty) and, behind it, members that are JSON text already."""
    return "".join([dump(plain)[:-1], *[f',"{name}":{text}' for name, text in texts.items()], "}"])
