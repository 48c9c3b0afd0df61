"""One harness per backend: how to make an empty container, put objects into it and look at them from outside."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import pytest
from django.test import override_settings

from storages.client import Client

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
    # class of failure → arranges it and gives the settings to connect with; a class that is missing cannot happen here
    trouble: Mapping[str, Callable[[Any], dict[str, Any]]] = {}
    environment: dict[str, str]  # what a Quayside in a process of its own needs to reach the container
    _variables: pytest.MonkeyPatch
    _settings: override_settings | None = None

    def __new__(cls, *args: Any, **options: Any) -> Self:
        harness = super().__new__(cls)
        harness.environment, harness._variables = {}, pytest.MonkeyPatch()
        return harness

    def __init__(self, directory: Path) -> None:
        """``directory``: a path of its own below the document root, not made yet."""

    def client(self, root: str = "", **settings: Any) -> Client:
        """A client of the container under ``root`` ("" or ending in "/"), with some other settings."""
        from storages.backends import BACKENDS

        return BACKENDS[self.name].import_model(**{"project_id": 1} | self.settings(root) | settings).client()

    def name_of(self, key: str) -> str:
        """What ``key`` was made of."""
        return key

    def key(self, name: str) -> str:
        """The backend's full key of ``name``."""
        return name

    @abstractmethod
    def put(self, name: str, body: bytes) -> None: ...

    @abstractmethod
    def get(self, name: str) -> bytes | None: ...

    @abstractmethod
    def settings(self, root: str = "") -> dict[str, Any]:
        """What to POST to the API to create a storage on this container under ``root``."""

    def small_pages(self) -> None:
        """Makes listings take more than one page for a handful of objects, where the server decides that."""

    def forget_cursors(self) -> bool:
        """Makes the provider forget the cursors it gave; False where a cursor is a place that stays one."""
        return False

    def configure(self, **values: Any) -> None:
        """Django settings that hold until ``close``; a server of its own gets them as ``environment``."""
        self.environment |= {name: str(value) for name, value in values.items()}
        self._settings = override_settings(**values)
        self._settings.enable()

    def lend(self, **variables: str) -> None:
        """Environment variables that give the server an identity of its own, until ``close``."""
        self.environment |= variables
        for name, value in variables.items():
            self._variables.setenv(name, value)

    def withdraw(self, *names: str) -> None:
        """Takes environment variables away, until ``close``: undone before a test's own monkeypatch, they would come back."""
        for name in names:
            self._variables.delenv(name)

    def close(self) -> None:
        """Stops what was started."""
        self._variables.undo()
        if self._settings:
            self._settings.disable()
