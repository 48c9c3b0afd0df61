"""What leaves the service for files and target storages: the same text for the same rows, raw URIs, no N+1.

Nothing here depends on the clock or on who asks: ``created_ago`` stays empty.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from django.db.models import QuerySet

from tasks.models import Annotation, Prediction, Task
from tasks.reading import by_task, read_data_keys, read_stamped, read_users
from tasks.shapes import ANNOTATION_FIELDS, TASK_FIELDS, Row, Users, annotation_shape, exported_annotation_shape, task_shape


def annotation_payloads(annotation_ids: Sequence[int]) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """``(annotation id, task id, payload)`` for each annotation that exists, by rising id; the task is nested in the payload.

    Four queries for a call; give at most about 1,000 ids.
    """
    rows = read_stamped(Annotation.objects.filter(id__in=annotation_ids), ANNOTATION_FIELDS)
    users = read_users(row["completed_by_id"] for row in rows)
    keys = read_data_keys(row["project_id"] for row in rows)
    tasks = _tasks({row["task_id"] for row in rows})
    for row in rows:
        if row["task_id"] in tasks:
            task = tasks[row["task_id"]]
            nested = {**task_shape(task, keys.get(task["project_id"])), "precomputed_agreement": None}
            yield row["id"], row["task_id"], {**annotation_shape(row, users, author=True), "task": nested}


def task_payloads(task_ids: Sequence[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """``(task id, payload)`` for each task that exists, in the given order, with its annotations and prediction ids.

    The payload can be imported again as it is. Five queries for a call; give at most about 1,000 ids.
    """
    found = _tasks(task_ids)
    tasks = [found[task_id] for task_id in task_ids if task_id in found]
    annotations = read_stamped(Annotation.objects.filter(task_id__in=task_ids), ANNOTATION_FIELDS)
    users = read_users(row["completed_by_id"] for row in annotations)
    keys = read_data_keys(task["project_id"] for task in tasks)
    predictions = by_task(Prediction.objects.filter(task_id__in=task_ids).order_by("id").values("task_id", "id"))
    grouped = by_task(annotations)
    for task in tasks:
        ids = [row["id"] for row in predictions[task["id"]]]
        yield task["id"], export_task(task, grouped[task["id"]], ids, users, keys.get(task["project_id"]))


def _tasks(ids: Collection[int]) -> dict[int, Row]:
    return {task["id"]: task for task in read_stamped(Task.objects.filter(id__in=ids), TASK_FIELDS)}


def export_task(task: Row, annotations: Sequence[Row], predictions: list[int], users: Users, key: str | None) -> dict[str, Any]:
    """One item of a JSON export."""
    shape = task_shape(task, key)
    for name in ("is_labeled", "overlap"):
        del shape[name]
    return {
        "id": shape.pop("id"),
        "annotations": [exported_annotation_shape(row, users) for row in annotations],
        "drafts": [],
        "predictions": predictions,
        **shape,
    }


def flat_payloads(task_ids: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Items of a JSON_MIN export: one for each annotation that was not cancelled, data keys and labels side by side."""
    for _, task in task_payloads(task_ids):
        for annotation in task["annotations"]:
            if not annotation["was_cancelled"]:
                yield _flat(task, annotation)


def _flat(task: dict[str, Any], annotation: dict[str, Any]) -> dict[str, Any]:
    labels: dict[str, list] = {}
    for region in annotation["result"] or []:
        if isinstance(region, dict) and isinstance(region.get("from_name"), str):
            labels.setdefault(region["from_name"], []).append(region)
    author = annotation["completed_by"]
    return {
        **task["data"],
        "id": task["id"],
        **{name: _label_value(regions) for name, regions in labels.items()},
        "annotator": author and author["id"],
        "annotation_id": annotation["id"],
        "created_at": annotation["created_at"],
        "updated_at": annotation["updated_at"],
        "lead_time": annotation["lead_time"],
    }


def _label_value(regions: list[dict[str, Any]]) -> Any:
    """A single choice or text as itself, several as ``{kind: […]}``, everything else as the list of region values."""
    values = [region.get("value") for region in regions]
    kind = regions[0].get("type")
    if kind in ("choices", "textarea") and len(values) == 1 and isinstance(values[0], dict):
        name = "text" if kind == "textarea" else kind
        chosen = values[0].get(name)
        if isinstance(chosen, list):
            return chosen[0] if len(chosen) == 1 else {name: chosen}
        return chosen
    return values


def task_ids_after(tasks: QuerySet[Task], after: int, size: int) -> list[int]:
    """The next ``size`` ids of ``tasks`` above ``after``: keyset paging, cheap at any depth."""
    return list(tasks.filter(id__gt=after).order_by("id").values_list("id", flat=True)[:size])
