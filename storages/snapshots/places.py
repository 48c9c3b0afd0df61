"""How the objects of snapshots are called, and how such a name is recognised; asks neither database nor storage."""

import re
from datetime import datetime

FORMATS = ("jsonl", "parquet")
MANIFEST = "manifest.json"
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")  # what a user may add to a folder's name
_PATH = r"(?:.*/)?snapshots/\d+/\d{8}T\d{6}Z-\d+(?:-[A-Za-z0-9._-]{1,64})?/"
_FOLDER = re.compile(_PATH, re.DOTALL)
_OBJECT = re.compile(rf"{_PATH}(part-\d{{5,}}\.(?:{'|'.join(FORMATS)})|{re.escape(MANIFEST)})", re.DOTALL)


def folder(project_id: int, begun: datetime, run_id: int, name: str = "") -> str:
    """Where the snapshot of a run goes, below the target's root; of one project the folders sort by time (UTC)."""
    return f"snapshots/{project_id}/{begun:%Y%m%dT%H%M%SZ}-{run_id}{'-' if name else ''}{name}/"


def shard_name(number: int, form: str) -> str:
    """The name of the ``number``-th shard, from 0, inside the folder."""
    return f"part-{number:05}.{form}"


def is_folder(root: str) -> bool:
    """Whether the root of a source has the name of a snapshot's folder."""
    return _FOLDER.fullmatch(root) is not None


def is_hidden(key: str, root: str) -> bool:
    """Whether a source with this ``root`` leaves ``key`` out because it belongs to a snapshot.

    A source whose root is the snapshot's folder is there to import it, and gets all of it but the manifest.
    """
    if "snapshots/" not in key or (found := _OBJECT.fullmatch(key)) is None:
        return False
    return found[1] == MANIFEST or len(root) < found.start(1)
