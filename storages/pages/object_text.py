"""The beginning of an object that holds text, read through this server, since a page may not ask the cloud for it.

Whoever sees the task may read what its data name, by the same rule as the resolver's.
"""

import json
from typing import NamedTuple

from django.http import Http404
from rest_framework.exceptions import APIException

from config.crypto import DecryptionFailed
from storages.backends import schemes
from storages.base import ImportStorage
from storages.client import Client, ObjectInfo
from storages.errors import StorageError
from storages.media import content, slots, uris
from storages.media.body import Body, release_database
from storages.media.resolve import choose, load_sources
from storages.pages.json_text import show
from tasks.models import Task

MOST = 64 * 1024  # bytes


class Text(NamedTuple):
    """``error``: why there is none; ``size``: bytes of the whole object; ``cut``: only its beginning is here."""

    text: str = ""
    size: int = 0
    cut: bool = False
    error: str = ""


def read_text(task: Task, own: tuple[int | None, str | None], uri: str) -> Text:
    """The object ``uri`` of the task's data as text. Raises Http404 for a URI that the data do not hold."""
    try:
        client, key, storage_id = _locate(task, own, uri)
        release_database()
        with slots.take() as slot:
            stream = client.open(key, 0, MOST - 1)
            body = Body(client, stream, storage_id, slot, None)
            return _decoded(b"".join(body), stream.info)
    except (StorageError, DecryptionFailed, APIException) as error:
        return Text(error=str(error))


def _locate(task: Task, own: tuple[int | None, str | None], uri: str) -> tuple[Client, str, int]:
    """The client, the key there and the storage's id. Raises Http404, StorageError, DecryptionFailed."""
    sources = load_sources([task.project_id])[task.project_id]
    if uri in uris.occurring(task.data, schemes(), sources.own_uri(*own)):
        if found := choose(uri, sources.usable, own[0]):
            return found[0].client, found[1], found[0].storage.pk
        raise sources.broken[0] if sources.broken else StorageError("No storage of this project holds this object.")
    storage_id, key = own
    if key and (storage := ImportStorage.objects.filter(pk=storage_id).first()):  # one whose objects are served by a path
        client = storage.concrete().client()
        if client.capabilities.media and client.uri(key) == uri:
            return client, key, storage_id
    raise Http404("The task's data do not name this object.")


def _decoded(data: bytes, info: ObjectInfo) -> Text:
    """Text in UTF-8, JSON indented; no other encoding is guessed."""
    if content.coding(info):
        return Text(error="It is stored compressed. Open the file to see it.")
    cut = info.size > len(data)
    text = data.decode("utf-8-sig", errors="replace").replace("\0", "�")
    if not cut and content.media_type(info).startswith("application/json"):
        try:
            text = show(json.loads(text), MOST).text
        except (ValueError, RecursionError):  # it is shown as it is then
            pass
    return Text(text, info.size, cut)
