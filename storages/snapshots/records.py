"""Reads all annotated tasks of a project as they were at one moment, in chunks of bounded size; knows no format.

The moment is one read transaction (PostgreSQL: REPEATABLE READ, SQLite: a WAL read), held by a thread with a connection of its
own until the last task is read. It blocks no writer; meanwhile old row versions, or the WAL, are kept, as during a dump.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import islice
from typing import Any, NamedTuple

from django.db import connection

from projects.label_config import first_data_key
from projects.models import Project
from storages.errors import NotFound
from storages.snapshots import capacity
from storages.snapshots.texts import as_stored, texts_of
from tasks.models import Annotation, Prediction, Task
from tasks.reading import by_task, read_users
from tasks.shapes import ANNOTATION_FIELDS, PREDICTION_FIELDS, TASK_FIELDS, Row

MOST = 1000  # tasks per chunk
FIRST = 100  # tasks of the first chunk, whose sizes nobody knows
CHUNK_BYTES = 4 * 1024**2  # about what a chunk may take encoded
IDS = 5000  # task ids fetched at a time
Encode = Callable[[dict[str, Any], dict[str, str]], tuple[Any, int]]


class Record(NamedTuple):
    """A task as its format wants it; ``size`` in bytes. ``fault``: (code, why) it must be left out, and then no body."""

    body: Any
    size: int
    annotations: int
    predictions: int
    task: int
    fault: tuple[str, str] | None = None


class Opening(NamedTuple):
    """What is known before the first task; but ``users``, whom the tasks name, are complete behind the last one."""

    total: int
    label_config: str
    title: str
    users: Mapping[int, Row]


@contextmanager
def reading(project_id: int, encode: Encode) -> Iterator[tuple[Opening, Iterator[list[Record]]]]:
    """What is known beforehand, and the records by rising task id; ``encode`` gives a record's body and its bytes.

    The next chunk is read while one is worked on. Raises NotFound if there is no such project.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="snapshot-read")
    steps = _steps(project_id, encode)
    try:
        yield pool.submit(next, steps).result(), _ahead(pool, steps)
    finally:
        pool.submit(steps.close)
        pool.shutdown()


def _ahead(pool: ThreadPoolExecutor, steps: Iterator[Any]) -> Iterator[Any]:
    ahead = pool.submit(next, steps, None)
    while (step := ahead.result()) is not None:
        ahead = pool.submit(next, steps, None)
        yield step


def _steps(project_id: int, encode: Encode) -> Generator[Opening | list[Record]]:
    """The opening, then the chunks."""
    with _one_moment():
        project = Project.objects.filter(pk=project_id).first()
        if project is None:
            raise NotFound(f"project {project_id} was deleted")
        annotated = Annotation.objects.filter(project_id=project_id).order_by("task_id").values_list("task_id", flat=True)
        key, users, size = first_data_key(project.label_config), dict[int, Row](), FIRST
        yield Opening(annotated.distinct().count(), project.label_config, project.title, users)
        with closing(annotated.distinct().iterator(chunk_size=IDS)) as ids:
            while wanted := list(islice(ids, size)):
                records = list(_records(project_id, wanted, users, key, encode))
                weight = sum(record.size for record in records) // max(len(records), 1)
                size = max(1, min(MOST, 4 * size, CHUNK_BYTES // max(weight, 1)))
                yield records


@contextmanager
def _one_moment() -> Iterator[None]:
    """Everything that this thread reads is of one moment. Closes its connection, which ends the transaction."""
    # not atomic(): it would take SQLite's write lock
    begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY" if connection.vendor == "postgresql" else "BEGIN DEFERRED"
    try:
        with connection.cursor() as cursor:
            cursor.execute(begin)
        yield
    finally:
        connection.close()


def _records(project_id: int, task_ids: list[int], users: dict[int, Row], key: str | None, encode: Encode) -> Iterator[Record]:
    """``users`` are remembered from chunk to chunk: a project has few annotators."""
    # whoever is annotated between the first and the last task is in the chunk
    annotations = Annotation.objects.filter(project_id=project_id, **_between("task_id", task_ids))
    annotations = as_stored(annotations, ANNOTATION_FIELDS, "result")
    tasks = as_stored(Task.objects.filter(**_among("id", task_ids)), TASK_FIELDS, "data", "meta")
    named = {row[f"{role}_id"] for row in annotations for role in ("completed_by", "updated_by", "last_created_by")}
    users.update(read_users(named.union(row["updated_by_id"] for row in tasks) - users.keys()))
    predictions = Prediction.objects.filter(**_among("task_id", task_ids))
    predictions = by_task(as_stored(predictions, PREDICTION_FIELDS, "result", "neighbors"))
    grouped = by_task(annotations)
    for task in tasks:
        if task["id"] not in grouped:  # another project's, or not annotated
            continue
        mine, guesses = grouped[task["id"]], predictions[task["id"]]
        plain, texts = texts_of(task, mine, guesses, users, key)
        body, size = encode(plain, texts)
        fault = capacity.fault(size, texts.values())
        yield Record(None if fault else body, size, len(mine), len(guesses), task["id"], fault)


def _among(column: str, ids: list[int]) -> dict[str, Any]:
    """A filter that lets ``ids``, which rise, through; where they lie close together at most as many others too."""
    return _between(column, ids) if ids[-1] - ids[0] < 2 * len(ids) else {f"{column}__in": ids}


def _between(column: str, ids: list[int]) -> dict[str, Any]:
    """All from the first to the last of ``ids``: asked for in half of the time that many single ones take."""
    return {f"{column}__gte": ids[0], f"{column}__lte": ids[-1]}
