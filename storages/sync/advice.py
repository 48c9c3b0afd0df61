"""Why an object gives no tasks at all, and what to do about it. Knows no storage and reads nothing."""

import codecs
import os

from storages.sync.row import Limits, mib

TABLES, LINES = {".csv", ".tsv"}, {".jsonl", ".ndjson"}
EXTENSIONS = {"", ".json", ".parquet", *TABLES, *LINES}
FILES = 'to label the files themselves, set the import method to "Files" (use_blob_urls=true)'
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
SCALARS = b'"-0123456789tfnNI'  # first bytes of a text, a number, true, false, null, NaN, Infinity


def extension(key: str) -> str:
    """The lower-case extension of a key, one that says gzip left out: ``.csv`` for ``a/B.CSV.gz``."""
    return os.path.splitext(key.lower().removesuffix(".gz"))[1]


def refusal(key: str, size: int, limits: Limits) -> str:
    """Why an object of that name and size (bytes) is not even opened, "" if it may be."""
    if (found := extension(key)) not in EXTENSIONS:
        known = ".json, .jsonl, .ndjson, .csv, .tsv or .parquet (each also with .gz)"
        return f"{found[:80]} files hold no tasks; use {known}, or, {FILES}"
    if 0 < limits.object_size < size:
        return f"takes {mib(size)}, more than {mib(limits.object_size)}: split it or raise SYNC_MAX_OBJECT_MB"
    return ""


def nothing_in(head: bytes) -> str:
    """What is wrong with an object whose first bytes, white space and UTF-8 BOM left out, begin no format; none if empty."""
    if not head:
        return "the file is empty; it should hold a JSON object, a JSON array, JSON Lines, CSV or Parquet"
    if head.startswith(UTF_16) or (b"\0" in head[:4] and head[:4].strip(b"\0").isascii()):
        return "the file is UTF-16 or UTF-32; save it as UTF-8"
    if head[0] in SCALARS and b"\0" not in head:
        return (
            "the file holds a bare value (a text, a number, true, false, null or NaN) where a task should be: neither a JSON "
            'object nor an array; write {"data": {…}}, or name tables .csv or .tsv'
        )
    wanted = "neither a JSON object, a JSON array, JSON Lines in UTF-8, CSV named .csv nor Parquet"
    return f"{wanted}; {FILES}, or narrow the file name filter"
