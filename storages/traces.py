"""What is still known of objects whose target is gone or writes elsewhere now: that they are exports of an organization.

Keeps digests only, for good: where an object is written again, removed, or known by a link as well, its trace does no harm.
"""

import logging
from collections.abc import Collection

from django.db import connection, models

from config.crypto import DecryptionFailed
from storages.base import ExportStorage
from storages.errors import StorageError
from storages.links import ExportLink, ExportTrace, key_digest

log = logging.getLogger(__name__)
COLUMNS = "organization_id, place, key_digest"


def keep(target: ExportStorage) -> int:
    """Notes what ``target`` wrote to the place of its settings; call it in the transaction that takes its links, before they go.

    Answers how many objects are new among the traces. The database copies, whatever their number; the target's row stays
    locked, so that no worker reserves another key meanwhile. Keeps none for a target without a project, whose traces were
    kept when it lost it, and none (a line in the log) where the settings name no place, since a key alone means nothing.
    """
    if target.project is None or not ExportLink.objects.filter(storage_id=target.pk).exists():
        return 0
    try:
        place = target.concrete().client().place
    except (StorageError, DecryptionFailed) as error:
        log.warning("No trace of the exports of %s is kept, a source that lists them takes them for new tasks: %s", target, error)
        return 0
    list(ExportStorage.objects.select_for_update(no_key=True).filter(pk=target.pk).values_list("pk"))
    links, traces = (connection.ops.quote_name(model._meta.db_table) for model in (ExportLink, ExportTrace))
    with connection.cursor() as cursor:
        cursor.execute(
            # in one order, so that two that keep the same keys at once wait for each other, not both
            f"INSERT INTO {traces} ({COLUMNS}) SELECT %s, %s, key_digest FROM {links} "  # noqa: S608
            "WHERE storage_id = %s ORDER BY key_digest ON CONFLICT DO NOTHING",
            [target.project.organization_id, key_digest(place), target.pk],
        )
        return cursor.rowcount


def any_in(organization_id: int, place: str) -> bool:
    """Whether the organization has traces in ``place`` (of ``Client.place``). One look at the index."""
    return _rows(organization_id, place).exists()


def among(organization_id: int, place: str, keys: Collection[str]) -> set[str]:
    """Those of ``keys`` with a trace. One query by the primary key."""
    by_digest = {key_digest(key): key for key in keys}
    found = _rows(organization_id, place).filter(key_digest__in=list(by_digest))
    return {by_digest[bytes(digest)] for digest in found.values_list("key_digest", flat=True)}


def _rows(organization_id: int, place: str) -> models.QuerySet:
    return ExportTrace.objects.filter(organization_id=organization_id, place=key_digest(place)).order_by()
