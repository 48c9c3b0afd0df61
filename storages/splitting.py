"""Cuts a large piece of a listing in two (or by sub-folders) while it is listed, so that idle workers find something to do."""

import logging
from collections.abc import Callable

from storages import shards
from storages.base import ImportStorage
from storages.client import Client
from storages.errors import StorageError, Unsupported
from storages.shards import Shard
from storages.sync.scan import Scanned, in_order
from storages.sync.split import middle

log = logging.getLogger(__name__)
PAGES = 8  # listed before a piece counts as large, and between two cuts of it


class Splitter:
    """Watches the pages of one piece. ``more`` is called when there is work for others."""

    def __init__(self, shard: Shard, client: Client, storage: ImportStorage, more: Callable[[], None]) -> None:
        self.shard, self.client, self.more = shard, client, more
        self.workers, self.pages, self.sample = storage.sync_workers, 0, []
        can = client.capabilities
        by_folder = can.subfolders and not can.ranges and storage.recursive and shard.recursive and not shard.folder
        self.possible = storage.sync_workers > 1 and ((can.ranges and storage.recursive) or by_folder)

    def due(self, page: Scanned) -> bool:
        """Whether the piece is large and goes on behind this page, and a worker may be idle."""
        self.pages += 1
        self.possible = self.possible and (not self.client.capabilities.ranges or in_order(page.objects))
        if not self.possible or not page.cursor or self.pages % PAGES:
            return False
        self.sample = [item.key for item in (page.objects[0], page.objects[-1])] if page.objects else []
        return bool(self.sample) and self._idle() > 0

    def _idle(self) -> int:
        busy = Shard.objects.filter(run_id=self.shard.run_id, stage=self.shard.stage).exclude(state=Shard.State.DONE).count()
        return self.workers - busy

    def split(self) -> bool:
        """Cuts the piece; True if what is left of it has to be listed anew. Raises LeaseLost."""
        try:
            again = self._by_range() if self.client.capabilities.ranges else self._by_folder()
        except Unsupported:
            self.possible = False
            return False
        except StorageError as error:
            log.info("run %s is not split now: %s", self.shard.run_id, error)
            return False
        self.more()
        return again

    def _by_range(self) -> bool:
        low = self.sample[-1]
        cut = middle(self.client, low, self.shard.high, self.sample)
        if cut is not None and cut > low:
            shards.split(self.shard, cut)
        return False

    def _by_folder(self) -> bool:
        self.possible = False
        folders = self.client.folders()
        if len(folders) < 2:
            return False
        shards.split_by_folder(self.shard, folders)
        return True
