"""What the values of a task's data are to people: pictures, sounds, films, documents or text, with links that browsers load.

Judges by names and by the label config alone; opens no object.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import unquote

from django.conf import settings
from django.urls import reverse

from projects.label_config import ConfigError, read_tags
from storages.backends import schemes
from storages.client import ObjectInfo
from storages.media import content, uris
from storages.media.resolve import NOBODY, Sources, resolve_data

PLAIN, LINK, FILE = "plain", "link", "file"  # text; an address elsewhere; an object that is saved and not shown
ICONS = {
    "image": "photo",
    "audio": "musical-note",
    "video": "film",
    "pdf": "document-text",
    "text": "document-text",
    "json": "code-bracket",
    FILE: "document",
    LINK: "arrow-top-right-on-square",
}
# of objects whose name tells no type: the tag of the label config that shows the data key
TAGS = {"Image": "image", "Audio": "audio", "AudioPlus": "audio", "Video": "video", "Pdf": "pdf", "Text": "text"}
ELSEWHERE = re.compile(r"https?://[^\s\"'<>]{1,2000}", re.IGNORECASE)
LONGEST_PLACE = 160  # characters
URIS_IN_A_TEXT = 20


class Value(NamedTuple):
    """``place``: where in the data; ``link``: "" for an object that no storage holds; ``uri``: as the data has it."""

    place: str
    kind: str
    text: str
    name: str = ""
    link: str = ""
    uri: str = ""

    @property
    def is_plain(self) -> bool:
        return self.kind == PLAIN

    @property
    def icon(self) -> str:
        return ICONS.get(self.kind, "document")


def kind_of(name: str, tag: str = "") -> str:
    """How an object of this name is shown: image, audio, video, pdf, text, json or file; HTML and SVG are files."""
    kind = content.media_type(ObjectInfo(name, 0, None))
    if kind == "application/octet-stream":
        return TAGS.get(tag, FILE)
    if not content.is_shown(kind):
        return FILE
    family, _, rest = kind.partition("/")
    return {"application": "pdf" if rest == "pdf" else "json"}.get(family, family)


def tags_of(label_config: str | None) -> dict[str, str]:
    """Data key → name of the tag that shows it; {} for a config that cannot be read."""
    try:
        return {tag.data_key: tag.name for tag in read_tags(label_config or "") if tag.data_key}
    except ConfigError:
        return {}


@dataclass(frozen=True)
class Reader:
    """Reads the data of one task. ``own``: the storage and key it was made from; ``tags``: see ``tags_of``."""

    task_id: int
    sources: Sources
    own: tuple[int | None, str | None] = NOBODY
    tags: Mapping[str, str] = field(default_factory=dict)

    def values(self, data: Any) -> Iterator[Value]:
        """Every value of ``data`` (JSON of any depth), in order; a text with URIs inside is followed by their objects."""
        for place, top, value in leaves(data):
            if isinstance(value, str):
                yield from self._read(place, self.tags.get(top, ""), value)
            else:
                yield Value(place, PLAIN, json.dumps(value))

    def _read(self, place: str, tag: str, text: str) -> Iterator[Value]:
        found = islice(uris.occurring(text, schemes(), self.sources.own_uri(*self.own)), URIS_IN_A_TEXT)
        objects = [self._object(place, tag, uri) for uri in dict.fromkeys(found)]
        if path := _served_path(text):
            yield Value(place, kind_of(path, tag), text, _name(path), text, text)
        elif ELSEWHERE.fullmatch(text):
            yield Value(place, LINK, text, text, text)
        elif [one.uri for one in objects] != [text.strip()]:
            yield Value(place, PLAIN, text)
        yield from objects

    def _object(self, place: str, tag: str, uri: str) -> Value:
        link = resolve_data(uri, self.task_id, self.sources, self.own)
        return Value(place, kind_of(uri, tag), uri, _name(uri), "" if link == uri else link, uri)


def leaves(data: Any) -> Iterator[tuple[str, str, Any]]:
    """(place, key at the top, value) of everything that is no list and no object; a stack of its own, whatever the depth."""
    unfinished = [iter([("", "", data)])]
    while unfinished:
        if (member := next(unfinished[-1], None)) is None:
            unfinished.pop()
        elif isinstance(member[2], dict | list):
            unfinished.append(_members(*member))
        else:
            yield member


def _members(place: str, top: str, box: dict | list) -> Iterator[tuple[str, str, Any]]:
    if isinstance(box, dict):
        for key, value in box.items():
            yield _shortened(f"{place}.{key}" if place else key), top or key, value
    else:
        for number, value in enumerate(box):
            yield _shortened(f"{place}[{number}]"), top, value


def _shortened(place: str) -> str:
    return place if len(place) <= LONGEST_PLACE else "…" + place[1 - LONGEST_PLACE :]


def _served_path(text: str) -> str:
    """The path below the document root in a link to a file of this server; "" for any other text."""
    route = f"{reverse('local-files')}?d="
    head = next((head for head in (route, settings.HOST + route) if text.startswith(head)), None)
    return "" if head is None or re.search(r"[\s&#]", text) else unquote(text[len(head) :])


def _name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]
