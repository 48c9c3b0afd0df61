"""Objects that targets of this server wrote where a source looks: its sync must not take them for new tasks.

Knows keys, links and traces; opens no object and sends no request.
"""

from collections.abc import Iterable
from functools import cached_property

from config.crypto import DecryptionFailed
from storages import traces
from storages.base import ExportStorage, ImportStorage
from storages.client import Client
from storages.errors import StorageError
from storages.fields import secret_names
from storages.links import ExportLink, key_digest
from storages.snapshots.places import is_hidden


class OwnExports:
    """The exports that lie in the place of one source. At most two queries per call, none if no target ever shared that place."""

    def __init__(self, storage: ImportStorage, client: Client) -> None:
        self.storage, self.client = storage, client

    def among(self, keys: Iterable[str]) -> set[str]:
        """Those of ``keys`` that were exported: shards and manifests by their name, other objects by their links and traces."""
        asked = set(keys)
        found = {key for key in asked if is_hidden(key, self.client.root)}
        if self._targets and (rest := asked - found):
            links = ExportLink.objects.filter(storage_id__in=self._targets, key_digest__in=[key_digest(key) for key in rest])
            found.update(links.values_list("key", flat=True))
        # the links may have become traces since this sync began
        if (self._targets or self._traced) and (rest := asked - found):
            found |= traces.among(self._organization, self.client.place, rest)
        return found

    @property
    def _organization(self) -> int:
        return self.storage.project.organization_id

    @cached_property
    def _traced(self) -> bool:
        return traces.any_in(self._organization, self.client.place)

    @cached_property
    def _targets(self) -> list[int]:
        """Targets of the source's organization in the same place; when a project goes, its targets leave traces."""
        rows = ExportStorage.objects.filter(project__organization=self._organization).select_related("project")
        here = self.client.place
        return [row.pk for row in rows.defer(*secret_names(ExportStorage)).order_by("id") if _place(row) == here]


def _place(target: ExportStorage) -> str | None:
    """None for a target whose settings make no connection: it could not have written either, as it is."""
    try:
        return target.concrete().client().place
    except (StorageError, DecryptionFailed):
        return None
