"""Answers of ListObjectsV2 as pages of objects: a regular expression for the usual shape, the XML parser for every other.

Source: Amazon S3 API Reference, ListObjectsV2 "Response Syntax". Sends nothing.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import unquote_plus

from storages import errors
from storages.client import ObjectInfo
from storages.providers import listing, plain
from storages.providers.plain import TEXT, optional

ROOT = "ListBucketResult"
CONTENTS = re.compile(
    f"<Contents><Key>({TEXT})</Key><LastModified>([0-9TZ:.+-]++)</LastModified>"
    f'<ETag>(?:&quot;|&#34;|")?+([^<>&"]*+)(?:&quot;|&#34;|")?+</ETag>'
    f"(?:<ChecksumAlgorithm>{TEXT}</ChecksumAlgorithm>)*+{optional('ChecksumType')}<Size>([0-9]{{1,18}})</Size>"
    f"(?:<Owner>{optional('ID DisplayName')}</Owner>)?+{optional('StorageClass')}</Contents>"
)


@dataclass
class ListPage:
    """One parsed ListObjectsV2 answer."""

    objects: list[ObjectInfo] = field(default_factory=list)
    markers: list[str] = field(default_factory=list)  # keys that end in "/" and stand for folders
    folders: list[str] = field(default_factory=list)  # common prefixes
    last: str = ""  # greatest key or common prefix of the page
    truncated: bool = False
    token: str = ""


def parse_list(body: bytes) -> ListPage:
    """Reads a ListObjectsV2 answer with ``encoding-type=url``; keys ending in "/" are its markers.

    Raises ConfigInvalid if the body is no such answer (an HTML page of some other server).
    """
    try:
        found = plain.split(body, ROOT, "Contents", CONTENTS)
        if found is None:
            return parse_any(body)
        page = parse_any(found.rest)
        keys = decoded([entry[0] for entry in found.entries])
        page.last = max(page.last, *keys)
        make, when = tuple.__new__, datetime.fromisoformat  # the named tuple's own constructor takes twice as long
        page.objects = [
            make(ObjectInfo, (key, int(size), when(time), etag, "", ""))
            for key, (_, time, etag, size) in zip(keys, found.entries, strict=True)
            if key[-1:] != "/"
        ]
        page.markers = [key for key in keys if key[-1:] == "/"] if len(page.objects) < len(keys) else []
    except (KeyError, ValueError):  # another document; an entry without key, with a size or time that is none
        raise errors.ConfigInvalid("the endpoint's answer is not an S3 listing; check s3_endpoint", field="s3_endpoint") from None
    return page


def decoded(keys: list[str]) -> list[str]:
    """Keys without their percent-encoding, which is that of forms; all at once, which is quicker than one by one."""
    text = "\n".join(keys)
    if "%" not in text and "+" not in text:
        return keys
    if "%0a" in text.lower():
        return [unquote_plus(key) for key in keys]
    return unquote_plus(text).split("\n")


def parse_any(body: bytes) -> ListPage:
    """The same for any shape and order of elements. Raises KeyError, ValueError."""
    entries, texts = listing.parse(body, root=ROOT, entries=("Contents", "CommonPrefixes"))
    page = ListPage(truncated=texts.get("IsTruncated") == "true", token=texts.get("NextContinuationToken", ""))
    for name, entry in entries:
        key = unquote_plus(entry["Key" if name == "Contents" else "Prefix"])
        page.last = max(page.last, key)
        if name == "CommonPrefixes":
            page.folders.append(key)
        elif key.endswith("/"):
            page.markers.append(key)
        else:
            modified = datetime.fromisoformat(entry["LastModified"]) if entry.get("LastModified") else None
            page.objects.append(ObjectInfo(key, int(entry.get("Size") or 0), modified, entry.get("ETag", "").strip('"')))
    return page
