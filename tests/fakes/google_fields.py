"""The ``fields`` parameter: keeps of an answer what was selected and nothing else, not even page tokens.

Source: Cloud Storage JSON API "Partial responses".
"""

import re
from typing import Any

from tests.fakes.claims import Refusal

OBJECT = dict.fromkeys(
    "kind id selfLink mediaLink name bucket generation metageneration contentType contentEncoding contentDisposition "
    "contentLanguage cacheControl storageClass size md5Hash crc32c etag timeCreated updated timeStorageClassUpdated timeDeleted "
    "metadata owner acl kmsKeyName customTime temporaryHold eventBasedHold retentionExpirationTime componentCount "
    "customerEncryption".split()
)
LISTING = {"kind": None, "nextPageToken": None, "prefixes": None, "items": OBJECT}
Schema = dict[str, Any]


def select(document: dict[str, Any], fields: str | None, schema: Schema) -> dict[str, Any]:
    """What ``fields`` ("a,b(c,d),e/f", "*") keeps of ``document``. Raises Refusal 400 for names not in ``schema``."""
    return document if fields is None else keep(document, parse(fields, schema))


def parse(fields: str, schema: Schema) -> Schema:
    """The selection as a tree; None below a name means all of it."""
    chosen: Schema = {}
    for part in split(fields):
        match = re.fullmatch(r"([A-Za-z0-9]+|\*)(?:\((.*)\)|/(.+))?", part)
        if match is None or (match[1] != "*" and match[1] not in schema):
            raise Refusal(400, "invalidParameter", f"Invalid field selection {part}", locationType="parameter", location="fields")
        inner = match[2] or match[3]
        for name in schema if match[1] == "*" else [match[1]]:
            below = parse(inner, schema[name] or {}) if inner else None
            chosen[name] = chosen.get(name, {}) | below if below and chosen.get(name, {}) is not None else None
    return chosen


def split(fields: str) -> list[str]:
    """At the commas outside of parentheses."""
    parts, depth = [""], 0
    for character in fields:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def keep(document: dict[str, Any], chosen: Schema) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name in chosen.keys() & document.keys():
        value, below = document[name], chosen[name]
        kept[name] = value if below is None else [keep(entry, below) for entry in value]
    return kept
