"""Lists a storage and decides which objects count; the next page is fetched while this one is worked on."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise

from storages.client import EVERYTHING, PROBE_NAME, Client, ObjectInfo, Page, Span
from storages.errors import ConfigInvalid, CursorLost, Malformed, StorageError
from storages.sync.pace import Pace

REWIND = Page([], "\0rewind")  # stands between the pages of a listing that had to begin anew
UNSTORABLE = "the name is not valid Unicode text and cannot be stored; rename the object"


@dataclass
class Scanned:
    """The objects of one page that passed, how many did not, and those that cannot be dealt with, as (key, code, reason).

    ``cursor`` resumes behind the page, "" at the end. ``counted``: they were counted as listed before.
    """

    objects: list[ObjectInfo]
    ignored: int = 0
    cursor: str = ""
    refused: list[tuple[str, str, str]] = field(default_factory=list)
    counted: bool = False


def storable(key: str) -> bool:
    """Whether databases can hold the key: valid Unicode without NUL."""
    return "\0" not in key and not any("\ud800" <= char <= "\udfff" for char in key) if not key.isascii() else "\0" not in key


def scan(
    client: Client,
    *,
    recursive: bool,
    passes: Callable[[str], bool],
    after: str = "",
    span: Span = EVERYTHING,
    pace: Pace | None = None,
    rewound: Callable[[], None] = lambda: None,
    high: Callable[[], str] = lambda: "",
) -> Iterator[Scanned]:
    """Page by page, what the storage holds, filtered. A storage that asks to slow down or fails for a moment is waited for.

    ``rewound`` is called when the listing has to begin anew because its cursor is not taken any more; ``high`` tells, for
    each page, behind which key the rest of the span has become somebody else's ("" = nowhere).
    """
    pages = _patient(client, recursive, after, span, pace or Pace())
    for page in prefetched(pages):
        if page is REWIND:
            rewound()
            continue
        end = high()
        if end and not in_order(page.objects):
            message = "the store lists keys out of order, so that no part of the listing can be given to another worker"
            raise ConfigInvalid(f"{message}; set sync_workers to 1", field="sync_workers")
        if end and (page.cursor > end or (page.objects and page.objects[-1].key > end)):
            yield _filtered(Page([item for item in page.objects if item.key <= end], ""), passes)
            return
        yield _filtered(page, passes)


def in_order(items: Sequence[ObjectInfo]) -> bool:
    """Whether keys rise; a key may come twice."""
    return all(a.key <= b.key for a, b in pairwise(items))


def _filtered(page: Page, passes: Callable[[str], bool]) -> Scanned:
    text = "".join([item.key for item in page.objects])
    if text.isascii() and "\0" not in text and PROBE_NAME not in text:
        with suppress(Malformed):  # then one by one, to tell which
            kept = [item for item in page.objects if passes(item.key)]
            return Scanned(kept, len(page.objects) - len(kept), page.cursor)
    kept: list[ObjectInfo] = []
    refused: list[tuple[str, str, str]] = []
    for item in page.objects:
        key = item.key
        try:
            if not passes(key) or key.endswith(PROBE_NAME):
                continue
        except Malformed as error:
            refused.append((key if storable(key) else ascii(key), "filter", str(error)))
            continue
        if storable(key):
            kept.append(item)
        else:
            refused.append((ascii(key), "name", UNSTORABLE))
    return Scanned(kept, len(page.objects) - len(kept) - len(refused), page.cursor, refused)


def _patient(client: Client, recursive: bool, after: str, span: Span, pace: Pace) -> Iterator[Page]:
    """The pages of a listing that survives throttling, short failures and a forgotten cursor."""
    failures = 0
    while True:
        try:
            pace.wait()
            for page in client.list(recursive=recursive, after=after, span=span):
                pace.succeeded()
                failures = 0
                yield page
                if not page.cursor:
                    return
                after = page.cursor
                pace.wait()
            return
        except CursorLost:
            if not after:
                raise
            after = ""
            yield REWIND
        except StorageError as error:
            failures += 1
            if not pace.forgives(error, failures):
                raise


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
