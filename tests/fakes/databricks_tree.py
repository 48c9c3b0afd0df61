"""Volumes of the Databricks fake as trees of directories and files; knows neither HTTP nor who asks."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from tests.fakes.databricks_refusals import already_exists, bad_request, invalid_path, no_directory, no_file, no_volume, not_empty


@dataclass
class File:
    body: bytes = field(repr=False)
    modified: int  # milliseconds since the epoch
    content_type: str = "application/octet-stream"


@dataclass
class Directory:
    modified: int
    children: dict[str, "Directory | File"] = field(default_factory=dict)


class Place(NamedTuple):
    """A path: ``volume`` is "catalog.schema.volume" in lower case, as Unity Catalog stores names; ``names`` lie below it."""

    volume: str
    names: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return "/".join(["/Volumes", *self.volume.split("."), *self.names])


def decode_path(raw: str) -> str:
    """The path that percent-encoded ``raw`` means; "+" stays a plus. Raises Refusal 400 if it is not UTF-8."""
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError as error:
        raise invalid_path("it is not valid UTF-8") from error


def place_of(path: str) -> Place:
    """The place of a decoded absolute path; one trailing slash is ignored. Raises Refusal 400 in the words of the service."""
    root, *names = path.removeprefix("/").removesuffix("/").split("/")
    if root != "Volumes":
        raise invalid_path(f"unsupported first path component: {root}")
    for index, level in enumerate(("catalog", "schema", "volume")):
        if len(names) <= index or not names[index]:
            raise invalid_path(f"Path is missing a {level} name")
    if any(name in ("", ".", "..") or "\0" in name for name in names):  # assumed; a careful client never sends these
        raise invalid_path("empty, dot and NUL components are not supported")
    return Place(".".join(names[:3]).lower(), tuple(names[3:]))


@dataclass
class Tree:
    """``lock`` must be held around every call; methods raise Refusal as the Files API would."""

    volumes: dict[str, Directory] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def volume(self, name: str) -> Directory:
        if name not in self.volumes:
            raise no_volume(name)
        return self.volumes[name]

    def node(self, place: Place) -> Directory | File | None:
        node: Directory | File | None = self.volume(place.volume)
        for name in place.names:
            node = node.children.get(name) if isinstance(node, Directory) else None
        return node

    def directory(self, place: Place) -> Directory:
        node = self.node(place)
        if not isinstance(node, Directory):
            raise no_directory()
        return node

    def file(self, place: Place) -> File:
        node = self.node(place)
        if not isinstance(node, File):
            raise no_file()
        return node

    def make_directory(self, place: Place, now: int) -> Directory:
        """The directory, made with its parents if need be; a file in the way is a conflict."""
        node = self.volume(place.volume)
        for name in place.names:
            child = node.children.setdefault(name, Directory(now))
            if isinstance(child, File):
                raise already_exists("directory")
            node = child
        return node

    def write(self, place: Place, file: File, overwrite: bool) -> None:
        """Stores the file and makes its parents."""
        if not place.names:
            raise bad_request("A volume is not a file.")
        present = self.node(place)
        if isinstance(present, Directory) or (present is not None and not overwrite):
            raise already_exists()
        parent = self.make_directory(Place(place.volume, place.names[:-1]), file.modified)
        parent.children[place.names[-1]] = file

    def remove_file(self, place: Place) -> None:
        self.file(place)
        self.unlink(place)

    def remove_directory(self, place: Place) -> None:
        if self.directory(place).children:
            raise not_empty()
        if not place.names:
            raise bad_request("A volume cannot be deleted as a directory.")  # assumed
        self.unlink(place)

    def unlink(self, place: Place) -> None:
        del self.directory(Place(place.volume, place.names[:-1])).children[place.names[-1]]

    def walk(self) -> Iterator[str]:
        """The paths of all files."""
        waiting = [(Place(name), node) for name, node in self.volumes.items()]
        while waiting:
            place, directory = waiting.pop()
            for name, node in directory.children.items():
                inner = Place(place.volume, (*place.names, name))
                if isinstance(node, File):
                    yield inner.path
                else:
                    waiting.append((inner, node))
