"""What a configured connection to a storage can do, the same for every backend; pure, no SDK, no Django.

Keys are full object keys (str), offsets are bytes and inclusive, times are aware UTC, TTLs are seconds.
The public methods are the contract; a backend implements them with its own protocol and raises only
storages.errors.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from storages.errors import StorageError, Unsupported

PROBE_NAME = ".quayside-probe"  # what the connection check writes


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
    delete: bool = True


@dataclass(frozen=True)
class Probe:
    """One step of the connection check: the verb tried and why it failed (None: it worked)."""

    verb: str  # list, read, write, delete, sign
    error: StorageError | None = None


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

    def probes(self, *, write: bool, delete: bool) -> Iterator[tuple[str, Callable[[], object]]]:
        """(verb, attempt) pairs for ``check``; an attempt raises a StorageError when it is refused."""
        yield "list", lambda: next(self.list(recursive=True), None)
        if write:
            yield "write", lambda: self.write(self.probe_key, b"{}")
        if write and delete:
            yield "delete", lambda: self.delete(self.probe_key)

    @property
    def probe_key(self) -> str:
        return self.root + PROBE_NAME

    def check(self, *, write: bool, delete: bool = False) -> tuple[Probe, ...]:
        """The permission doctor: tries verb after verb and stops at the first failure; never raises."""
        done: tuple[Probe, ...] = ()
        for verb, attempt in self.probes(write=write, delete=delete):
            try:
                attempt()
            except StorageError as error:
                return (*done, Probe(verb, error))
            done += (Probe(verb),)
        if write and not delete:
            with suppress(StorageError):  # credentials that may not delete leave the small object behind; no scan takes it
                self.delete(self.probe_key)
        return done

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
