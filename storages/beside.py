"""What lies beside the objects that a source looks at: other folders than its prefix, and sub-folders it does not enter."""

import copy
import difflib
import itertools
from collections.abc import Iterator, Sequence

from storages.base import ImportStorage
from storages.client import Client
from storages.errors import StorageError, Unsupported

SHOWN = 5  # names, those most like the prefix first: it may be misspelt


def outside(storage: ImportStorage, client: Client) -> list[str]:
    """Some folders, or keys, outside of the storage's prefix; none if it has no prefix, or may not look there."""
    top = copy.copy(storage)
    for name in ("prefix", "path"):
        if hasattr(top, name):
            setattr(top, name, "")
    if not hasattr(top, "root") or not client.root:  # a directory of this server is no prefix
        return []
    try:
        elsewhere = top.client()
        for parent in _parents(client.root, elsewhere.root):
            if found := [name for name in _names(elsewhere, parent) if not name.startswith(client.root)]:
                return difflib.get_close_matches(client.root, found, n=SHOWN, cutoff=0.0)
    except StorageError:
        pass
    return []


def below(storage: ImportStorage, client: Client) -> Sequence[str] | None:
    """The sub-folders that a source which is not recursive leaves out; None if there are some that cannot be told."""
    if storage.recursive or not client.capabilities.subfolders:
        return []
    try:
        return client.folders()
    except Unsupported:
        return None


def _parents(root: str, top: str) -> Iterator[str]:
    """The folders above ``root`` up to ``top``, the nearest first."""
    while len(root) > len(top):
        root = root.rstrip("/")
        root = root[: max(root.rfind("/") + 1, len(top))]
        yield root


def _names(client: Client, folder: str) -> Sequence[str]:
    """Folders directly below ``folder``; keys where they cannot be told, or where there are none at the top."""
    try:
        if (found := client.folders(folder)) or folder != client.root:
            return found
    except Unsupported:
        pass
    return [item.key for page in itertools.islice(client.list(recursive=True), 1) for item in page.objects]
