"""One harness per backend: how to make an empty container, put objects into it and look at them from outside."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from storages.client import Client
from tests.fakes.s3 import S3Fake

HOSTILE = [
    "a b.txt",
    "q?x=1&y#z.txt",
    "100%25.txt",
    "plus+plus.txt",
    "ünï-日本.txt",
    "dots..txt",
    "'quote'\".txt",
    "semi;colon.txt",
]


class Harness(ABC):
    """A container that the tests own. Names are relative to the container; ``key`` gives the backend's full key."""

    name = ""
    hostile = HOSTILE

    @abstractmethod
    def client(self, root: str = "", **settings: Any) -> Client:
        """A client of the container under ``root`` ("" or ending in "/")."""

    @abstractmethod
    def key(self, name: str) -> str: ...

    @abstractmethod
    def put(self, name: str, body: bytes) -> None: ...

    @abstractmethod
    def get(self, name: str) -> bytes | None: ...

    @abstractmethod
    def settings(self, root: str = "") -> dict[str, Any]:
        """What to POST to the API to create a storage on this container under ``root``."""

    def small_pages(self) -> None:
        """Makes listings take more than one page for a handful of objects, where the server decides that."""

    def close(self) -> None:
        """Stops what was started."""


class S3Harness(Harness):
    name = "s3"
    hostile = [*HOSTILE, "double//slash.txt", "/leading.txt", "x" * 1000 + ".txt"]

    def __init__(self, directory: Path) -> None:
        self.fake = S3Fake(page_cap=4)
        self.fake.create_bucket("data")

    def client(self, root: str = "", **settings: Any) -> Client:
        return self.client_of(self.fake, **{"prefix": root} | settings)

    @staticmethod
    def client_of(fake: S3Fake, **settings: Any) -> Client:
        """A client of the fake's bucket "data"."""
        from storages.backends.s3 import S3ImportStorage

        keys = {"aws_access_key_id": fake.access_key, "aws_secret_access_key": fake.secret_key, "s3_endpoint": fake.url}
        return S3ImportStorage(**{"bucket": "data", "project_id": 1} | keys | settings).client()

    def key(self, name: str) -> str:
        return name

    def put(self, name: str, body: bytes) -> None:
        self.fake.put("data", name, body)

    def get(self, name: str) -> bytes | None:
        return self.fake.get("data", name)

    def settings(self, root: str = "") -> dict[str, Any]:
        keys = {"aws_access_key_id": self.fake.access_key, "aws_secret_access_key": self.fake.secret_key}
        return {"bucket": "data", "prefix": root, "s3_endpoint": self.fake.url, **keys}

    def close(self) -> None:
        self.fake.close()


class LocalFilesHarness(Harness):
    name = "localfiles"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def client(self, root: str = "", **settings: Any) -> Client:
        from storages.backends.localfiles import LocalFilesImportStorage

        (self.directory / root).mkdir(parents=True, exist_ok=True)
        return LocalFilesImportStorage(**({"path": str(self.directory / root)} | settings)).client()

    def key(self, name: str) -> str:
        return str(self.directory / name)

    def put(self, name: str, body: bytes) -> None:
        target = self.directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)

    def get(self, name: str) -> bytes | None:
        target = self.directory / name
        return target.read_bytes() if target.exists() else None

    def settings(self, root: str = "") -> dict[str, Any]:
        (self.directory / root).mkdir(parents=True, exist_ok=True)
        return {"path": str(self.directory / root)}

    def small_pages(self) -> None:
        import storages.backends.localfiles_client as backend

        backend.PAGE_SIZE = 4


HARNESSES: dict[str, type[Harness]] = {harness.name: harness for harness in (S3Harness, LocalFilesHarness)}
