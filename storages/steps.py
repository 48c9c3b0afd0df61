"""What a worker does with a piece of an import run, stage by stage, and how a storage's objects become tasks."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from json.encoder import encode_basestring

from django.conf import settings

from projects.jsontext import dump
from projects.label_config import first_data_key, parse
from storages import renames, shards, vanished
from storages.base import ImportStorage
from storages.client import Client, ObjectInfo, Span
from storages.errors import BadCredentials, Malformed, StorageError
from storages.shards import ParkedObject, Shard, Stage
from storages.snapshots import reopen
from storages.splitting import Splitter
from storages.store import BatchStore
from storages.sync import engine
from storages.sync.pace import Pace
from storages.sync.patterns import matcher
from storages.sync.row import MIB, Limits
from storages.sync.scan import Scanned, scan
from tasks.authors import Authors
from tasks.drafts import TaskDraft
from tasks.validation import RowInvalid, parse_row

PAGE = 500  # objects taken at a time where no listing gives the pages


def _list(shard: Shard, client: Client, pace: Pace, more: Callable[[], None]) -> None:
    storage = shard.run.storage
    importer = engine.Import(client, BatchStore(shard, client), recipe(storage, client, pace), pace)
    splitter = Splitter(shard, client, storage, more)

    def rewound() -> None:
        importer.flush()
        shards.rewind(shard)

    pages = scan(
        client,
        recursive=storage.recursive and shard.recursive,
        passes=matcher(storage.regex_filter, client.subject),
        after=shard.cursor,
        span=Span(shard.low, shard.high, shard.folder),
        pace=pace,
        rewound=rewound,
        high=lambda: shard.high,
    )
    for page in pages:
        importer.take(page)
        if splitter.due(page):
            importer.flush()
            if splitter.split(page):
                return _list(shard, client, pace, more)
    return importer.finish()


def _retry(shard: Shard, client: Client, pace: Pace, more: Callable[[], None]) -> None:
    """The objects that failed were noted when the run began; each is looked up anew."""
    importer = engine.Import(client, BatchStore(shard, client), recipe(shard.run.storage, client, pace), pace)
    with ThreadPoolExecutor(shard.run.storage.sync_reads, thread_name_prefix="stat") as pool:
        for last, noted in _noted(shard):
            found = list(pool.map(lambda item: _looked_up(client, item.key, pace), noted))
            pairs = zip(noted, found, strict=True)
            refused = [(item.key, one.code, str(one)) for item, one in pairs if isinstance(one, StorageError)]
            importer.take(Scanned([one for one in found if isinstance(one, ObjectInfo)], 0, last, refused))
    importer.finish()


def _looked_up(client: Client, key: str, pace: Pace) -> ObjectInfo | StorageError:
    """What is known of an object, or why it is not to be had. Raises BadCredentials: all others would fail alike."""
    failures = 0
    while True:
        pace.wait()
        try:
            return client.stat(key)
        except BadCredentials:
            raise
        except StorageError as error:
            failures += 1
            if not pace.forgives(error, failures):
                return error


def _parked(shard: Shard, client: Client, pace: Pace, more: Callable[[], None]) -> None:
    importer = engine.Import(client, BatchStore(shard, client), recipe(shard.run.storage, client, pace), pace)
    for last, noted in _noted(shard):
        importer.take(Scanned(noted, 0, last, counted=True))
    importer.finish()


def _noted(shard: Shard) -> Iterator[tuple[str, list[ObjectInfo]]]:
    """(cursor, objects) of what the run has set aside, behind the shard's cursor."""
    rows, last = ParkedObject.objects.filter(run=shard.run).order_by("id"), int(shard.cursor or 0)
    while chunk := list(rows.filter(id__gt=last)[:PAGE]):
        last = chunk[-1].pk
        yield str(last), [ObjectInfo(row.key, row.size, row.modified, row.etag) for row in chunk]


def _rename(shard: Shard, client: Client, pace: Pace, more: Callable[[], None]) -> None:
    renames.follow(shard, client, in_scope(shard.run.storage, client))


def _sweep(shard: Shard, client: Client, pace: Pace, more: Callable[[], None]) -> None:
    vanished.sweep(shard, in_scope(shard.run.storage, client))


STEPS = {Stage.LIST: _list, Stage.RETRY: _retry, Stage.RENAME: _rename, Stage.PARKED: _parked, Stage.SWEEP: _sweep}


def in_scope(storage: ImportStorage, client: Client) -> Callable[[str], bool]:
    """Whether a listing with the present settings would look at a key at all."""
    passes = matcher(storage.regex_filter, client.subject)

    def looked_at(key: str) -> bool:
        if not key.startswith(client.root) or (not storage.recursive and "/" in key[len(client.root) :].strip("/")):
            return False
        try:
            return passes(key)
        except Malformed:
            return False

    return looked_at


def recipe(storage: ImportStorage, client: Client | None = None, pace: Pace | None = None) -> engine.Recipe:
    """How this storage's objects become tasks. A snapshot is recognised only with a ``client``. Raises StorageError, Stopped."""
    project = storage.project
    data_key = first_data_key(project.label_config) or "$undefined$"
    name = dump(data_key)
    authors, config = Authors(project.organization_id), parse(project.label_config)
    snapshot = reopen.found(client, pace or Pace()) if client and not storage.use_blob_urls else None

    def task_of_row(value: object) -> TaskDraft:
        try:
            return snapshot.restore(value, authors) if snapshot else parse_row(value, authors, config)
        except RowInvalid as error:
            raise Malformed(str(error)) from error

    return engine.Recipe(
        whole_objects=storage.use_blob_urls,
        task_of_uri=lambda uri: TaskDraft({data_key: uri}, data_text=f"{{{name}:{encode_basestring(uri)}}}"),
        task_of_row=task_of_row,
        weight_of=lambda draft: draft.weight or len(draft.data_text),
        readers=storage.sync_reads,
        limits=snapshot.limits(_limits()) if snapshot else _limits(),
    )


def _limits() -> Limits:
    """The settings are in MiB."""
    sizes = ("OBJECT", "ROW", "UNPACKED", "ROW_GROUP")
    object_size, row, unpacked, group = (getattr(settings, f"SYNC_MAX_{name}_MB") * MIB for name in sizes)
    return Limits(object_size, row, settings.SYNC_MAX_JSON_DEPTH, unpacked, group)
