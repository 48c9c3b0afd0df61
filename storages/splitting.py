"""Cuts a large piece of a listing into several (or by sub-folders) while it is listed, so that idle workers find something."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from storages import shards
from storages.base import ImportStorage
from storages.client import Client
from storages.errors import StorageError, Unsupported
from storages.shards import Shard
from storages.sync.scan import Scanned, in_order
from storages.sync.split import cuts

log = logging.getLogger(__name__)
PAGES = 4  # listed before a piece counts as large, and between two cuts of it
SAMPLE = 50  # keys of a page that show what keys look like


class Splitter:
    """Watches the pages of one piece. ``more`` is called when there is work for others.

    Where to cut is looked for in a thread while the listing goes on: it takes a dozen listings of the storage.
    """

    def __init__(self, shard: Shard, client: Client, storage: ImportStorage, more: Callable[[], None]) -> None:
        self.shard, self.client, self.more = shard, client, more
        self.workers, self.pages = storage.sync_workers, 0
        self.search: Future[list[str]] | None = None
        can = client.capabilities
        by_folder = can.subfolders and not can.ranges and storage.recursive and shard.recursive and not shard.folder
        self.possible = storage.sync_workers > 1 and ((can.ranges and storage.recursive) or by_folder)

    def due(self, page: Scanned) -> bool:
        """Whether it is known where to cut the piece, which goes on behind this page; begins to look where if it is large."""
        self.pages += 1
        self.possible = self.possible and (not self.client.capabilities.ranges or in_order(page.objects))
        if not self.possible or not page.cursor:
            return False
        if self.search is not None:
            return self.search.done()
        if self.pages % PAGES or not page.objects or (idle := self._idle()) < 1:
            return False
        if not self.client.capabilities.ranges:
            return True
        keys = [item.key for item in [*page.objects[:: max(len(page.objects) // SAMPLE, 1)], page.objects[-1]]]
        pool = ThreadPoolExecutor(1, thread_name_prefix="cut")
        self.search = pool.submit(cuts, self.client, keys[-1], self.shard.high, keys, idle)
        pool.shutdown(wait=False)
        return False

    def _idle(self) -> int:
        busy = Shard.objects.filter(run_id=self.shard.run_id, stage=self.shard.stage).exclude(state=Shard.State.DONE).count()
        return self.workers - busy

    def split(self, page: Scanned) -> bool:
        """Cuts the piece behind ``page``; True if what is left of it has to be listed anew. Raises LeaseLost."""
        try:
            again = self._by_range(page) if self.client.capabilities.ranges else self._by_folder()
        except Unsupported:
            self.possible = False
            return False
        except StorageError as error:
            log.info("run %s is not split now: %s", self.shard.run_id, error)
            return False
        self.more()
        return again

    def _by_range(self, page: Scanned) -> bool:
        search, self.search = self.search, None
        last = max(page.cursor, page.objects[-1].key if page.objects else "")
        if search and (ahead := [cut for cut in search.result() if cut > last]):
            shards.split(self.shard, ahead)
        return False

    def _by_folder(self) -> bool:
        self.possible = False
        folders = self.client.folders()
        if len(folders) < 2:
            return False
        shards.split_by_folder(self.shard, folders)
        return True
