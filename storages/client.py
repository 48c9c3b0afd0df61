"""What a configured connection to a storage can do, the same for every backend; pure, no SDK, no Django.

Keys are full object keys (str), offsets are bytes and inclusive, times are aware UTC, TTLs are seconds.
The public methods are the contract; a backend implements them with its own protocol and raises only
storages.errors.
"""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from storages.errors import AccessDenied, BadCredentials, ConfigInvalid, NotFound, StorageError, Throttled, Unsupported

PROBE_NAME = ".quayside-probe"  # what the connection check writes
ADVICE: dict[type[StorageError], str] = {
    BadCredentials: "{service} rejected the credentials; check {credential}",
    AccessDenied: "signed in, but this identity may not {verb} {target}; grant {grant}",
    NotFound: "{target} does not exist, or is hidden from this identity",
    ConfigInvalid: "{service} refused the request for {target}; check {settings}",
    Throttled: "{service} asks to slow down; try again later",
}


class ObjectInfo(NamedTuple):
    """What a listing or a stat tells of an object. ``etag`` is "" where the backend has none."""

    key: str
    size: int
    modified: datetime | None
    etag: str = ""
    content_type: str = ""


class Page(NamedTuple):
    """Some objects in the backend's order; ``cursor`` resumes the listing behind them ("" at the end)."""

    objects: list[ObjectInfo]
    cursor: str


@dataclass(frozen=True)
class Capabilities:
    """What backends differ in."""

    presign: bool = False  # can sign a URL that a browser may load
    folders: bool = True  # distinguishes one level from a recursive listing
    media: bool = True  # objects can be served to browsers
    versions: bool = True  # a listing tells when an object changed and what version it is
    delete: bool = True


@dataclass
class ObjectStream:
    """An open object: iterate for chunks of bytes, or ``read(n)``; a context manager that closes the upstream.

    ``info`` describes the whole object; ``start``/``end`` are the inclusive offsets of the bytes that follow
    (``end`` is ``start - 1`` for an empty object).
    """

    info: ObjectInfo
    start: int
    end: int
    raw: "Readable" = field(repr=False)

    @property
    def length(self) -> int:
        return self.end - self.start + 1

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes (all the rest if negative); b"" at the end. Raises Unavailable if cut short."""
        return self.raw.read(size)

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.raw.close()

    def __enter__(self) -> "ObjectStream":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Readable(ABC):
    """The byte source inside an ObjectStream."""

    @abstractmethod
    def read(self, size: int = -1) -> bytes: ...

    @abstractmethod
    def close(self) -> None: ...


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

    @abstractmethod
    def list(self, *, recursive: bool, after: str = "") -> Iterator[Page]:
        """Pages of objects under ``root``, lazily, in the backend's order; folder markers are left out.

        ``recursive=False`` gives direct children only. ``after`` is a Page.cursor of an earlier listing.
        Raises NotFound (container), AccessDenied, BadCredentials, Unavailable, ConfigInvalid.
        """

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

    def refusal(self, kind: type[StorageError], verb: str, key: str = "", *, told: str = "") -> StorageError:
        """The error for what the provider refused, in one wording for all; ``told``: status and code, never its own text."""
        grant = self.grant(verb)
        text = ADVICE.get(kind, "{service} failed on its side while trying to {verb} {target}").format(
            service=self.service, credential=self.credential, settings=self.settings, verb=verb, grant=grant or verb,
            target=self.uri(key or self.root),
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
