"""One image of a storage that is not saved yet, for the preview: to its draft's user, from below the root, images only."""

from typing import Any

from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request

from storages.base import ImportStorage
from storages.client import ObjectInfo
from storages.media import content
from storages.media.stream import respond
from storages.media.views import MediaView
from storages.pages.access import SOURCE, find_project
from storages.pages.wizard import steps
from storages.pages.wizard.entry import Entry
from storages.pages.wizard.opening import find_draft, stored_of
from storages.steps import in_scope
from storages.sync.scan import storable

LARGEST = 8 * 1024**2  # bytes of an image that is loaded as its own thumbnail


def has_thumbnail(storage: ImportStorage, key: str, size: int) -> bool:
    """Whether the preview shows the object itself: by its name a picture that browsers show passively, and not too large."""
    info = ObjectInfo(key, size, None)
    kind, shown = content.media_type(info), content.disposition(info).startswith("inline")
    return kind.startswith("image/") and shown and size <= LARGEST and {".", ".."}.isdisjoint(key.split("/"))


class Thumbnail(MediaView):
    """The bytes of the object ``key``, with the headers that media have everywhere."""

    schema = None

    def get(self, request: Request, project: int, draft: Any) -> HttpResponseBase:
        """Raises NotFound for everything that is not an image which the preview may show; StorageError."""
        owned = find_project(request, project)
        found = find_draft(request, owned, draft)
        entry = Entry(request, owned, found, stored_of(found))
        if found.storage_id is not None and entry.stored is None:
            raise NotFound("The storage was deleted meanwhile.")
        if steps.SETTINGS not in steps.FLOWS[entry.side]:
            raise PermissionDenied("Targets have no preview.")
        storage = entry.judge(steps.up_to(entry.backend, SOURCE, steps.SETTINGS), ())
        key = request.query_params.get("key", "")
        if storage is None or not storable(key) or not has_thumbnail(storage, key, 0):
            raise NotFound("There is no such picture.")
        client = storage.client()
        if key == client.root or not in_scope(storage, client)(key):
            raise NotFound("There is no such picture below the prefix.")
        # no storage has this number: what is remembered of an object must not be taken for another storage's
        number = -(found.pk.int ^ int(found.updated_at.timestamp() * 1e6))
        return self._checked(respond(request, client, key, number))

    def _checked(self, response: HttpResponseBase) -> HttpResponseBase:
        """The storage may say of the object what its name did not: then it is not shown."""
        picture = response["Content-Type"].startswith("image/") and response["Content-Disposition"].startswith("inline")
        if response.status_code == 304 or (picture and int(response.get("Content-Length", 0)) <= LARGEST):
            return response
        response.close()
        raise NotFound("The object is no picture, or too large for a preview.")
