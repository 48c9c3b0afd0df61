"""Whether the user of a signed link may still read through its storage; asked of the database once in a few seconds."""

import copy
import time
from functools import lru_cache

from projects.access import visible_projects
from storages.base import ImportStorage
from storages.errors import StorageError
from storages.media.resolve import Source, load_source
from users.organizations import account, is_active_member

KEPT = 10  # seconds that an answer counts: so long a revoked member or a deleted storage can still be used


def source_of(storage_id: int, user_id: int) -> Source | None:
    """The storage if it exists and belongs to a project that the user sees now, else None. Raises StorageError."""
    found = _source_of(storage_id, user_id, int(time.monotonic()) // KEPT)
    if isinstance(found, StorageError):
        raise copy.copy(found)  # raised again and again, one exception would collect the frames of all requests
    return found


@lru_cache(maxsize=4096)
def _source_of(storage_id: int, user_id: int, period: int) -> Source | StorageError | None:
    user = account(user_id)
    if user is None or not user.is_active or not is_active_member(user):
        return None
    storage = ImportStorage.objects.filter(pk=storage_id, project__in=visible_projects(user)).first()
    try:
        return load_source(storage.concrete()) if storage else None
    except StorageError as error:
        return copy.copy(error)


def forget() -> None:
    """Every answer is asked for anew."""
    _source_of.cache_clear()
