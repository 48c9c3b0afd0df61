"""Objects: list of the JSON API. Page tokens are opaque and belong to the listing they came from.

Source: Cloud Storage JSON API "Objects: list".
"""

import secrets
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.fakes.claims import Refusal
from tests.fakes.google_fields import LISTING, select
from tests.fakes.google_objects import Store, Stored, resource_of
from tests.fakes.wire import Request

MAX_RESULTS = 1000  # items and prefixes of a page: "Objects: list", maxResults


class Listing(NamedTuple):
    """What a page token belongs to."""

    bucket: str
    prefix: str
    delimiter: str


class Entry(NamedTuple):
    """A line of a listing: an object, or a prefix that stands for all objects below it (``stored`` None)."""

    name: str
    stored: Stored | None


@dataclass
class Lister:
    """``cap``: most entries of a page, lower than Google's limit to get several pages out of few objects."""

    store: Store
    cap: int = MAX_RESULTS
    tokens: dict[str, tuple[Listing, bytes]] = field(default_factory=dict)

    def page(self, request: Request, bucket: str) -> dict[str, Any]:
        """One page as a JSON document, cut to the ``fields`` asked for. Raises Refusal 400."""
        listing = Listing(bucket, request.parameter("prefix") or "", request.parameter("delimiter") or "")
        size = self.size(request.parameter("maxResults"))
        after = self.redeem(request.parameter("pageToken"), listing)
        start, end = (request.parameter("startOffset") or "").encode(), (request.parameter("endOffset") or "").encode()
        within = [s for s in self.store.sorted(bucket) if start <= s.name.encode() and (not end or s.name.encode() < end)]
        entries = [entry for entry in entries_of(within, listing) if after is None or entry.name.encode() > after]
        document: dict[str, Any] = {"kind": "storage#objects"}
        if len(entries) > size:
            token = secrets.token_urlsafe(18) + "+/="  # characters that a client must encode
            self.tokens[token] = (listing, entries[size - 1].name.encode())
            document["nextPageToken"] = token
        shown = entries[:size]
        if prefixes := [entry.name for entry in shown if entry.stored is None]:
            document["prefixes"] = prefixes
        if items := [resource_of(bucket, entry.stored) for entry in shown if entry.stored is not None]:
            document["items"] = items
        return select(document, request.parameter("fields"), LISTING)

    def size(self, asked: str | None) -> int:
        if asked is not None and (not asked.isdigit() or int(asked) == 0):
            raise Refusal(400, "invalid", "Invalid value for maxResults: it must be a positive integer.")
        return min(int(asked or MAX_RESULTS), self.cap, MAX_RESULTS)

    def redeem(self, token: str | None, listing: Listing) -> bytes | None:
        if token is None:
            return None
        of, after = self.tokens.get(token, (None, b""))
        if of != listing:
            raise Refusal(400, "invalid", "Invalid argument.")
        return after


def entries_of(objects: list[Stored], listing: Listing) -> list[Entry]:
    """Objects under the prefix; those with the delimiter behind it are folded into one prefix entry."""
    entries: dict[str, Entry] = {}
    for stored in objects:
        if not stored.name.startswith(listing.prefix):
            continue
        rest = stored.name[len(listing.prefix) :]
        if listing.delimiter and listing.delimiter in rest:
            folded = listing.prefix + rest.partition(listing.delimiter)[0] + listing.delimiter
            entries[folded] = Entry(folded, None)
        else:
            entries[stored.name] = Entry(stored.name, stored)
    return list(entries.values())
