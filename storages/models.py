"""All models of this app in one place for Django; the backends' models come with the registry."""

from storages.backends import BACKENDS
from storages.base import ExportStorage, ImportStorage
from storages.drafts import StorageDraft
from storages.links import ExportLink, ExportTrace, ImportLink, ObjectState, OutboxItem
from storages.runs import ExportIssue, ExportRun, ImportIssue, ImportRun
from storages.shards import ParkedObject, Seen, Shard

__all__ = [
    "BACKENDS",
    "ExportIssue",
    "ExportLink",
    "ExportRun",
    "ExportStorage",
    "ExportTrace",
    "ImportIssue",
    "ImportLink",
    "ImportRun",
    "ImportStorage",
    "ObjectState",
    "OutboxItem",
    "ParkedObject",
    "Seen",
    "Shard",
    "StorageDraft",
]
