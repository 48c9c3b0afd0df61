"""A directory below the document root."""

from pathlib import Path
from typing import Any

from tests.backends.harness import Harness


class LocalFilesHarness(Harness):
    name = "localfiles"
    trouble = {"misconfigured": lambda box: {"path": str(box.directory / "missing")}}  # nobody signs in, nothing is far away

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.configure(LOCAL_FILES_DOCUMENT_ROOT=str(directory.parent))

    def key(self, name: str) -> str:
        return str(self.directory / name)

    def name_of(self, key: str) -> str:
        return str(Path(key).relative_to(self.directory))

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
        import storages.providers.localfiles as backend

        backend.PAGE_SIZE = 4
