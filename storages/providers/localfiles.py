"""The client of one directory of this server; knows no Django.

A key is the absolute path of a file. Containment is judged by the real path of the opened file, so neither ".."
nor a symbolic link leads out of the storage's directory (CVE-2025-25295).
"""

import itertools
import os
import secrets
import stat as modes
from collections.abc import Iterator, MutableSequence, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path, PurePath
from urllib.parse import quote

from storages import errors
from storages.client import EVERYTHING, Capabilities, Client, ObjectInfo, ObjectStream, Page, Readable, Span
from storages.meter import Meter
from storages.providers.filefaults import translated

PAGE_SIZE = 1000
ROUTE = "/data/local-files/?d="
TEMPORARY = ".quayside-tmp-"  # begins the name of a file that is being written, or was when the server died; never listed


class File(Readable):
    """The bytes ``start``..``end`` inclusive of an open file."""

    def __init__(self, descriptor: int, start: int, end: int, meter: Meter) -> None:
        self.meter = meter
        self.file = os.fdopen(descriptor, "rb", buffering=0)
        self.file.seek(start)
        self.left = end - start + 1

    def read(self, size: int = -1) -> bytes:
        wanted = self.left if size < 0 else min(size, self.left)
        data = self.file.read(wanted) if wanted > 0 else b""
        self.left -= len(data)
        self.meter.count(size=len(data))
        if not data and wanted > 0:
            raise errors.Unavailable("the file became shorter while it was read")
        return data

    def close(self) -> None:
        self.file.close()


class LocalFilesClient(Client):
    """One directory and all below it."""

    scheme = "file"
    capabilities = Capabilities(presign=False, subfolders=True)
    service = "the file system"
    grants = {
        "list": "read and search permission on {container}",
        "read": "read permission on the files below {container}",
        "write": "write permission on {container}",
        "delete": "write permission on {container}",
    }

    def __init__(self, path: str, document_root: str, host: str = "") -> None:
        self.container, self.root = path, path.rstrip("/") + "/"
        self.document_root, self.host = document_root, host
        self._real = os.path.realpath(path) + os.sep

    def try_list(self, *, wanted: bool) -> str | None:
        """Cheap for a directory of a million files, where a sorted listing is not."""
        with translated(self.container), os.scandir(self.container) as found:
            return next((entry.path for entry in itertools.islice(found, 1000) if entry.is_file(follow_symlinks=False)), None)

    def list(self, *, recursive: bool, after: str = "", span: Span = EVERYTHING) -> Iterator[Page]:
        self.check_span(span)
        batch: list[ObjectInfo] = []
        with translated(self.container):
            for info in self._walk(self._directory(span.folder), recursive, PurePath(after).parts if after else ()):
                batch.append(info)
                if len(batch) == PAGE_SIZE:
                    yield Page(batch, info.key)
                    batch = []
        yield Page(batch, "")

    def folder_pages(self, folder: str) -> Iterator[Sequence[str]]:
        with translated(self.container):
            yield [f"{entry.path}/" for entry in self._entries(self._directory(folder)) if entry.is_dir(follow_symlinks=False)]

    def _directory(self, folder: str) -> str:
        """The path of a folder below ours ("": ours). Raises Unsupported for one that leads out of it."""
        path = folder.rstrip("/") or self.container
        if not (os.path.realpath(path) + os.sep).startswith(self._real):
            raise errors.Unsupported(f"{PurePath(path).name!r} lies outside this storage's directory")
        return path

    def _entries(self, directory: str) -> MutableSequence[os.DirEntry]:
        """What a directory holds, in descending order of names; nothing if it is one below ours that vanished."""
        self.meter.count(requests=1)
        try:
            with os.scandir(directory) as found:
                return sorted(found, key=lambda entry: entry.name, reverse=True)
        except (FileNotFoundError, NotADirectoryError):
            if directory == self.container:
                raise
            return []

    def _walk(self, directory: str, recursive: bool, after: tuple[str, ...]) -> Iterator[ObjectInfo]:
        """Regular files in order of their path's components, those up to ``after`` left out."""
        entries = self._entries(directory)
        while entries:
            entry = entries.pop()  # an entry that was looked at keeps its path and stat, a kilobyte each
            parts = PurePath(entry.path).parts if after else ()
            if entry.is_dir(follow_symlinks=False):
                if recursive and parts >= after[: len(parts)]:
                    yield from self._walk(entry.path, recursive, after)
            elif (not after or parts > after) and (info := self._described(entry)):
                yield info

    def _described(self, entry: os.DirEntry) -> ObjectInfo | None:
        """None for what is no file of ours: a leftover, a link that leads out, a socket, a file that vanished since."""
        if entry.name.startswith(TEMPORARY) or entry.is_symlink() and not os.path.realpath(entry.path).startswith(self._real):
            return None
        try:
            return describe(entry.path, entry.stat()) if entry.is_file() else None
        except FileNotFoundError:
            return None

    def stat(self, key: str) -> ObjectInfo:
        descriptor = self._descriptor(key)
        try:
            return describe(key, os.fstat(descriptor))
        finally:
            os.close(descriptor)

    def open(self, key: str, start: int = 0, end: int | None = None) -> ObjectStream:
        descriptor = self._descriptor(key)
        info = describe(key, os.fstat(descriptor))
        if start > 0 and start >= info.size:
            os.close(descriptor)
            raise errors.RangeNotSatisfiable(f"the file has {info.size} bytes", size=info.size)
        last = info.size - 1 if end is None else min(end, info.size - 1)
        return ObjectStream(info, start, last, File(descriptor, start, last, self.meter))

    def _descriptor(self, key: str) -> int:
        """An open descriptor of a regular file whose real path lies in this directory, else NotFound."""
        gone = errors.NotFound(f"{PurePath(key).name!r} is not a file of this storage")
        if "\0" in key or not key.startswith(self.root):
            raise gone
        self.meter.count(requests=1)
        with translated(PurePath(key).name):
            descriptor = os.open(key, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if self._holds(descriptor, key) and modes.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
        raise gone

    def _holds(self, descriptor: int, name: str) -> bool:
        """Whether what was opened lies in this directory, whatever its name says: a link may have been swapped in meanwhile."""
        link = f"/proc/self/fd/{descriptor}"
        return f"{os.path.realpath(link if os.path.exists(link) else name)}/".startswith(self._real)

    def write(self, key: str, data: bytes, content_type: str = "application/json") -> None:
        """Creates missing directories; readers see the old file or the new one, never a part (rename in place).

        What was written survives a loss of power: file and directory are synced before this returns (fsync(2), "Notes").
        """
        target = self._target(key)
        with self._told("write", target.name):
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    self._replace(folder, target.name, data)
                finally:
                    os.close(folder)
            except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
                message = f"{target.name!r}: a file lies where a folder has to be, or a folder where the file has to be"
                raise errors.ConfigInvalid(f"{message}; move it away, or choose other names") from error

    def _replace(self, folder: int, name: str, data: bytes) -> None:
        """Puts a file into an open directory, which may have been exchanged for another since its name was judged."""
        if not self._holds(folder, name):
            raise errors.AccessDenied(f"{name!r} lies outside this storage's directory")
        temporary = f"{TEMPORARY}{secrets.token_hex(8)}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
        except OSError:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise

    def delete(self, key: str) -> None:
        with self._told("delete", PurePath(key).name):
            self._target(key).unlink(missing_ok=True)

    @contextmanager
    def _told(self, verb: str, name: str) -> Iterator[None]:
        """Turns failures of a change into ours: it is the directory whose permissions count."""
        try:
            with translated(name):
                yield
        except errors.AccessDenied as error:
            error.verb, error.grant = verb, self.grant(verb)
            error.args = (f"{error}; needed: {error.grant}",)
            raise

    def _target(self, key: str) -> Path:
        """Raises NotFound if our directory is gone: it may be mounted again, so it is neither made anew nor counts as empty."""
        path = Path(key)
        if not os.path.isdir(self.container):
            raise errors.NotFound(f"the directory {self.container} is gone; mount it, or make it again")
        real = os.path.realpath(path.parent) + os.sep
        if not key.startswith(self.root) or "\0" in key or path.name in ("", ".", "..") or not real.startswith(self._real):
            raise errors.AccessDenied(f"{path.name!r} lies outside this storage's directory")
        return path

    @property
    def place(self) -> str:
        """Keys are absolute paths, so one directory may lie in another."""
        return "file:///"

    def uri(self, key: str) -> str:
        relative = os.path.relpath(key, self.document_root)
        return f"{self.host}{ROUTE}{quote(relative)}"

    def subject(self, key: str) -> str:
        return key[len(self.root) :]

    def key_of(self, uri: str) -> str | None:
        return None  # served by /data/local-files/, never resolved from a URI


def describe(key: str, found: os.stat_result) -> ObjectInfo:
    """What a stat tells; the etag changes with every write that moves mtime or size."""
    modified = datetime.fromtimestamp(found.st_mtime_ns // 1000 / 1e6, UTC)
    return ObjectInfo(key, found.st_size, modified, f"{found.st_mtime_ns:x}-{found.st_size:x}")
