"""Lists a storage and decides which objects count; the next page is fetched while this one is worked on."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from storages.client import PROBE_NAME, Client, ObjectInfo, Page


@dataclass
class Scanned:
    """The objects of one page that passed, how many did not, and those whose key cannot be stored."""

    objects: list[ObjectInfo]
    ignored: int
    cursor: str
    unstorable: list[str] = field(default_factory=list)


def storable(key: str) -> bool:
    """Whether databases can hold the key: valid Unicode without NUL."""
    return "\0" not in key and not any("\ud800" <= char <= "\udfff" for char in key) if not key.isascii() else "\0" not in key


def scan(client: Client, *, recursive: bool, passes: Callable[[str], bool], after: str = "") -> Iterator[Scanned]:
    """Page by page, what the storage holds under its root, filtered."""
    for page in prefetched(client.list(recursive=recursive, after=after)):
        kept = [item for item in page.objects if not item.key.endswith(PROBE_NAME) and passes(item.key)]
        good = [item for item in kept if storable(item.key)]
        bad = [item.key for item in kept if not storable(item.key)] if len(good) < len(kept) else []
        yield Scanned(good, len(page.objects) - len(kept), page.cursor, bad)


def prefetched(pages: Iterator[Page]) -> Iterator[Page]:
    """The same pages, each fetched by a thread while the one before it is worked on; its errors surface here."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="list-ahead")
    try:
        ahead = pool.submit(next, pages, None)
        while (page := ahead.result()) is not None:
            ahead = pool.submit(next, pages, None)
            yield page
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
