"""Answers of List Blobs as pages of objects: a regular expression for the usual shape, the XML parser for every other.

Source: Azure Storage REST API Reference, List Blobs "Response body". Sends nothing.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote

from storages import errors
from storages.client import ObjectInfo
from storages.providers import listing, plain
from storages.providers.dates import parse_http_date
from storages.providers.plain import TEXT, optional

ROOT = "EnumerationResults"
ENCODED_NAME = re.compile(rb'<Name Encoded="true">([^<]*)</Name>')
BLOB = re.compile(
    f"<Blob><Name>({TEXT})</Name><Properties>{optional('Creation-Time')}<Last-Modified>({TEXT})</Last-Modified>"
    f'<Etag>"?+([^<>&"]*+)"?+</Etag>(?:<ResourceType>({TEXT})</ResourceType>)?+<Content-Length>([0-9]{{1,18}})</Content-Length>'
    f"<Content-Type>({TEXT})</Content-Type>"
    + optional(
        "Content-Encoding Content-Language Content-CRC64 Content-MD5 Cache-Control Content-Disposition BlobType AccessTier "
        "AccessTierInferred AccessTierChangeTime LeaseStatus LeaseState LeaseDuration CopyId CopyStatus CopySource CopyProgress "
        "CopyCompletionTime ServerEncrypted EncryptionScope"
    )
    + f"</Properties>{optional('OrMetadata')}</Blob>"
)


class ListPage(NamedTuple):
    """One parsed List Blobs answer: blobs, folders (with a delimiter only), the marker of the next page ("" at the end)."""

    objects: list[ObjectInfo]
    folders: list[str]
    marker: str
    left_out: list[str]  # blobs that stand for folders


def parse_list(body: bytes) -> ListPage:
    """Reads a List Blobs answer; blobs whose names end in "/" and directories of Data Lake accounts are left out.

    Directories are told by ResourceType, not by the metadata hdi_isfolder: asking for metadata makes the answer longer, and
    its names are free, so that one called Name would pass for the blob's. Raises ConfigInvalid if the body is no listing.
    """
    try:
        found = plain.split(body, ROOT, "Blob", BLOB)
        if found is None:
            return parse_any(body)
        page = parse_any(found.rest)
        make, when = tuple.__new__, parse_http_date  # the named tuple's own constructor takes twice as long
        objects = [
            make(ObjectInfo, (key, int(size), when(time), etag, kind, ""))
            for key, time, etag, resource, size, kind in found.entries
            if key[-1:] != "/" and resource != "directory"
        ]
        kept = {item.key for item in objects} if len(objects) < len(found.entries) else None
        left_out = [entry[0] for entry in found.entries if entry[0] not in kept] if kept is not None else []
        return page._replace(objects=objects, left_out=left_out)
    except (KeyError, ValueError):  # another document; an entry without name, with a size or time that is none
        raise errors.ConfigInvalid(
            "the answer is not a listing of Azure Blob Storage; check account_name and container"
        ) from None


def parse_any(body: bytes) -> ListPage:
    """The same for any shape and order of elements. Raises KeyError, ValueError."""
    objects, folders, left_out = [], [], []
    if b'Encoded="true"' in body:
        body = ENCODED_NAME.sub(rb"<EncodedName>\1</EncodedName>", body)
    entries, texts = listing.parse(body, root=ROOT, entries=("Blob", "BlobPrefix"))
    for name, entry in entries:
        key = unquote(entry["EncodedName"]) if "EncodedName" in entry else entry["Name"]
        if name == "BlobPrefix":
            folders.append(key)
        elif key.endswith("/") or entry.get("ResourceType") == "directory":
            left_out.append(key)
        else:
            etag, kind = entry.get("Etag", "").strip('"'), entry.get("Content-Type", "")
            objects.append(ObjectInfo(key, int(entry["Content-Length"]), parse_http_date(entry["Last-Modified"]), etag, kind))
    return ListPage(objects, folders, texts.get("NextMarker", ""), left_out)
