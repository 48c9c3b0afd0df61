"""The name of an import object as part of another key: without extension, safe in every store. Pure text."""

import hashlib
import os.path
import re

LONGEST, LONGEST_PART = 512, 160  # bytes of the result and of each of its parts; the rest of a key needs room, too
# control characters, lone surrogates (no UTF-8), line separators, and what XML cannot say (XML 1.0 §2.2)
UNSTORABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
EDGES = ". "  # Azure and Windows drop these from the end of a part: "Naming and Referencing Containers, Blobs, and Metadata"
SNAPSHOT = re.compile(r"snapshots/[0-9]+/")  # where a target's snapshots lie, which may be imported again


def source_name(key: str, root: str, group: int = 0, row: int = 0) -> str:
    """``a/b/img1`` for the object ``<root>a/b/img1.jpg``; the n-th row behind an object's first one adds ``-row-n``.

    Parts that lead elsewhere are left out, unstorable characters become ``_``, a snapshot's folder gets one in front; what
    is too long is cut, and ends in 12 digits of a digest. "" if nothing is left. Two objects can get one name; see
    ``places.collisions``.
    """
    below = UNSTORABLE.sub("_", key.removeprefix(root)).replace("\\", "/")
    parts = [part.rstrip(EDGES) for part in below.split("/")]
    parts = [part for part in parts if part]
    if not parts:
        return ""
    stem = os.path.splitext(parts.pop())[0].rstrip(EDGES)
    if group or row:
        stem += f"-row-{group}-{row}" if group else f"-row-{row}"
    mark = "~" + hashlib.blake2b(f"{group} {row} {key}".encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    parts = [_cut(part, mark) for part in (*parts, stem)]
    if len("/".join(parts).encode()) > LONGEST - 1:
        parts = [mark, parts[-1]]
    name = "/".join(parts)
    return f"_{name}" if SNAPSHOT.match(name) else name


def _cut(part: str, mark: str) -> str:
    """``part`` in at most LONGEST_PART bytes."""
    if len(part.encode()) <= LONGEST_PART:
        return part
    return part.encode()[: LONGEST_PART - len(mark)].decode("utf-8", "ignore") + mark
