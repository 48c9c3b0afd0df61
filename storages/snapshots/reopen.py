"""A source whose root is the folder of a snapshot: its tasks come back with all that they had, larger and deeper than others.

Recognised by the folder's name and by the manifest in it; no other source can have its rows read like this.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from storages.client import Client
from storages.errors import BadCredentials, NotFound, StorageError
from storages.snapshots import capacity, manifest, places
from storages.sync.pace import Pace
from storages.sync.row import MIB, Limits
from tasks.authors import Authors
from tasks.restoring import RestoredTask, restore_row

LONGEST = 64 * MIB  # bytes of a manifest: a shard takes 300


@dataclass(frozen=True)
class Snapshot:
    """``mails``: addresses by the user ids that its tasks name."""

    mails: Mapping[int, str]

    def limits(self, usual: Limits) -> Limits:
        """``usual``, where they would not let every task of a snapshot through."""
        return capacity.widened(usual)

    def restore(self, element: Any, authors: Authors) -> RestoredTask:
        """Raises RowInvalid."""
        return restore_row(element, authors, self.mails)


def found(client: Client, pace: Pace) -> Snapshot | None:
    """The snapshot in the root of ``client``; None, mostly without a request, if it is none. Raises StorageError, Stopped."""
    if not places.is_folder(client.root):
        return None
    failures = 0
    while True:
        pace.wait()
        try:
            mails = manifest.users_of(_read(client))
            return None if mails is None else Snapshot(mails)
        except NotFound:  # a snapshot that was not finished, or cancelled, is none
            return None
        except BadCredentials:
            raise
        except StorageError as error:
            failures += 1
            if not pace.forgives(error, failures):
                raise


def _read(client: Client) -> bytes:
    with client.open(f"{client.root}{places.MANIFEST}") as stream:
        return stream.read(-1) if stream.length <= LONGEST else b""
