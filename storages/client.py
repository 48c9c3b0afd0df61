"""What a configured connection to a storage can do, the same for every backend; pure, no SDK, no Django.

Keys are full object keys (str), offsets are bytes and inclusive, times are aware UTC, TTLs are seconds.
The public methods are the contract; a backend implements them with its own protocol and raises only
storages.errors.
"""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

from storages.errors import AccessDenied, BadCredentials, ConfigInvalid, Full, NotFound, StorageError, Throttled, Unsupported
from storages.meter import Meter
from storages.objects import EVERYTHING, ObjectInfo, ObjectStream, Page, Readable, Span

__all__ = ["EVERYTHING", "Capabilities", "Client", "Meter", "ObjectInfo", "ObjectStream", "Page", "Readable", "Span"]

PROBE_NAME = ".quayside-probe"  # what the connection check writes
FOLDERS, FOLDER_PAGES = 1000, 20  # most sub-folders that ``folders`` tells; most pages it looks through for them
ADVICE: dict[type[StorageError], str] = {
    BadCredentials: "{service} rejected the credentials; check {credential}",
    AccessDenied: "signed in, but this identity may not {verb} {target}; grant {grant}",
    NotFound: "{target} does not exist, or is hidden from this identity",
    ConfigInvalid: "{service} refused the request for {target}; check {settings}",
    Throttled: "{service} asks to slow down; try again later",
    Full: "{service} has no room left for {target}; free some, or raise its quota",
}
FAILED = "{service} failed on its side while trying to {verb} {target}"


@dataclass(frozen=True)
class Capabilities:
    """What backends differ in."""

    presign: bool = False  # can sign a URL that a browser may load
    folders: bool = True  # distinguishes one level from a recursive listing
    media: bool = True  # objects can be served to browsers
    versions: bool = True  # a listing tells when an object changed and what version it is
    delete: bool = True
    if_match: bool = True  # ObjectInfo.etag is what the store compares If-Match with
    content_versions: bool = False  # objects of the same content have the same ETag, whatever their name
    ranges: bool = False  # a listing takes Span.low and high, comes in the order of keys, and any key is a cursor of it
    subfolders: bool = False  # a listing takes Span.folder, and ``folders`` tells what is below one


class Client(ABC):
    """A connection to one storage. Cheap to build: no network before the first call; safe to share between threads."""

    scheme: str = ""
    capabilities = Capabilities()
    container: str = ""  # bucket, container, database, directory
    root: str = ""  # prefix as a folder: "" or ending in "/"
    # for messages: who answers, what it may reject, which settings to look at, and the permission that each verb needs
    service = "the storage"
    credential = "credentials"
    settings = "the settings"
    grants: Mapping[str, str] = MappingProxyType({})  # verb → permission; {container} and {root} are filled in

    meter: Meter  # what this client has asked for and received

    def __new__(cls, *args: Any, **options: Any) -> Self:
        made = super().__new__(cls)
        made.meter = Meter()
        return made

    @abstractmethod
    def list(self, *, recursive: bool, after: str = "", span: Span = EVERYTHING) -> Iterator[Page]:
        """Pages of objects of ``span``, lazily, in the backend's order; folder markers are left out.

        ``recursive=False`` gives direct children only. ``after`` is a Page.cursor of an earlier listing of the same span;
        where it is a key (``capabilities.ranges``) the greater of it and ``span.low`` counts.
        Raises NotFound (container), AccessDenied, BadCredentials, Unavailable, ConfigInvalid, CursorLost (``after`` is no
        cursor any more: list the span anew), Unsupported (a span that this backend cannot list).
        """

    def folders(self, folder: str = "") -> Sequence[str]:
        """The direct sub-folders of ``folder`` ("" = the root), sorted, as full keys that end in "/".

        Raises Unsupported if this backend tells none, if they are more than FOLDERS, or if they lie among more objects than
        FOLDER_PAGES pages hold; what ``list`` raises.
        """
        top = folder or self.root
        self.check_span(Span(folder=top))
        found: set[str] = set()
        for number, below in enumerate(self.folder_pages(top)):
            found.update(one for one in below if one.startswith(top) and one != top)
            if len(found) > FOLDERS or number == FOLDER_PAGES:
                raise Unsupported(f"{self.uri(top)} has too many sub-folders, or too many objects beside them")
        return sorted(found)

    def folder_pages(self, folder: str) -> Iterator[Sequence[str]]:
        """What each page of the listing of one folder tells of its sub-folders. Raises Unsupported."""
        raise Unsupported(f"{self.service} does not list single folders")

    def check_span(self, span: Span) -> None:
        """Raises Unsupported if ``span`` cannot be listed here: no such capability, or a folder outside of the root."""
        if (span.low or span.high) and not self.capabilities.ranges:
            raise Unsupported(f"{self.service} does not list ranges of keys")
        if span.folder and not self.capabilities.subfolders:
            raise Unsupported(f"{self.service} does not list single folders")
        if span.folder and not (span.folder.startswith(self.root) and span.folder.endswith("/")):
            raise Unsupported(f"{span.folder!r} is no folder under {self.uri(self.root)}")

    @abstractmethod
    def stat(self, key: str) -> ObjectInfo:
        """Raises NotFound."""

    @abstractmethod
    def open(self, key: str, start: int = 0, end: int | None = None) -> ObjectStream:
        """Bytes ``start``..``end`` inclusive (to the end of the object if None), clipped to the object's size.

        Raises NotFound; RangeNotSatisfiable if ``start`` > 0 lies at or behind the end of the object.
        """

    @abstractmethod
    def write(self, key: str, data: bytes, content_type: str = "application/json") -> None:
        """Creates or replaces the object as a whole."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Removes the object; a missing object is no error."""

    def presign(self, key: str, ttl: int) -> str:
        """A URL that anyone may GET for ``ttl`` seconds. Raises Unsupported."""
        raise Unsupported(f"{type(self).__name__} cannot sign URLs")

    def signed(self, key: str, ttl: int) -> tuple[str, int]:
        """``presign``, and the seconds that the URL really lives: its signer may end sooner. Raises Unsupported."""
        return self.presign(key, ttl), ttl

    def probes(self, verbs: Collection[str]) -> Iterator[tuple[str, Callable[[], object]]]:
        """(verb, attempt) pairs for the permission doctor; an attempt raises a StorageError when it is refused."""
        found: dict[str, str | None] = {}
        yield "list", lambda: found.update(key=self.try_list(wanted="read" in verbs))
        key = found.get("key")
        if "read" in verbs and key is not None:
            yield "read", lambda: self.try_read(key)
        if "sign" in verbs and self.capabilities.presign:
            yield "sign", lambda: self.presign(key or self.probe_key, 60)
        if "write" in verbs:
            yield "write", lambda: self.try_write(tidy="delete" not in verbs)
        if "delete" in verbs:
            yield "delete", self.try_delete

    def try_list(self, *, wanted: bool) -> str | None:
        """The key of some object under the root, None if it has none; NotFound if one is ``wanted`` and the root is a folder."""
        pages = itertools.islice(self.list(recursive=True), 10 if wanted else 1)  # some may hold folder markers only
        found = next((page.objects[0].key for page in pages if page.objects), None)
        if found is None and wanted and self.root:
            raise NotFound(f"{self.uri(self.root)} not found: no object lies under this prefix")
        return found

    def try_read(self, key: str) -> None:
        self.open(key, 0, 0).close()

    def try_write(self, *, tidy: bool) -> None:
        self.write(self.probe_key, b"{}")
        if tidy:
            with suppress(StorageError):  # credentials that may not delete leave the small object behind; no scan takes it
                self.delete(self.probe_key)

    def try_delete(self) -> None:
        self.delete(self.probe_key)

    @property
    def probe_key(self) -> str:
        return self.root + PROBE_NAME

    def refusal(self, kind: type[StorageError], verb: str, key: str = "", *, told: str = "", cause: str = "") -> StorageError:
        """The error for what the provider refused, in one wording for all; ``told``: status and code, never its own text.

        ``cause``: what is in the way and what to do about it, where no permission of ours would help.
        """
        grant = "" if cause else self.grant(verb)
        sentence = "{service} refuses to {verb} {target}: {cause}" if cause else ADVICE.get(kind, FAILED)
        missing = kind is NotFound and verb == "write"  # an object need not be there to be written, so its container is not
        text = sentence.format(
            service=self.service, credential=self.credential, settings=self.settings, verb=verb, grant=grant or verb,
            target=self.uri("" if missing else key or self.root), cause=cause,
        )  # fmt: skip
        error = kind(f"{text} ({told})" if told else text)
        error.verb, error.grant = verb, grant if kind is AccessDenied else ""
        return error

    def grant(self, verb: str) -> str:
        """The permission that ``verb`` needs here, "" where there is no word for it."""
        return self.grants.get(verb, "").format(container=self.container, root=self.root)

    def policy(self, verbs: Collection[str]) -> Any:
        """The least permissions for ``verbs`` in the form the provider takes them, None where there is no such form."""
        return None

    def cors_rule(self, origin: str) -> Any:
        """The rule that lets pages of ``origin`` load signed URLs, as the provider takes it; None where not needed."""
        return None

    def allows_origin(self, origin: str, key: str) -> bool | None:
        """Whether the bucket lets pages of ``origin`` read signed URLs; None where that cannot be told."""
        return None

    def uri(self, key: str) -> str:
        """The value stored in task data for ``key``; the key is kept raw, nothing is percent-encoded."""
        return f"{self.scheme}://{self.container}/{key}"

    @property
    def place(self) -> str:
        """What tells this container from all others that can be written to: the same key in the same place is one object.

        Holds the account or endpoint where the container's name alone is not unique; told to nobody.
        """
        return f"{self.scheme}://{self.container}/"

    def key_of(self, uri: str) -> str | None:
        """The key that ``uri`` names inside this storage's container and root, None if it lies elsewhere."""
        head = f"{self.scheme}://{self.container}/"
        if not self.scheme or not uri.startswith(head):
            return None
        key = uri[len(head) :]
        return key if key.startswith(self.root) and key != self.root else None

    def __reduce__(self) -> tuple:
        raise TypeError("a client holds credentials and is never pickled")

    def subject(self, key: str) -> str:
        """What the file name filter is matched against."""
        return key
