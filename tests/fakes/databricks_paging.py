"""Pages of directory listings, whose tokens are bound to the listing they came from; knows nothing of permissions.

Source: Databricks REST API "List directory contents".
"""

import secrets
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.fakes.databricks_refusals import Refusal
from tests.fakes.databricks_tree import Directory, File, Place
from tests.fakes.wire import Request

MAX_PAGE = 1000  # "List directory contents": default and largest page_size; larger ones are lowered to it


class Rest(NamedTuple):
    """What a token stands for: names of the listing of ``place`` from ``start`` on."""

    place: Place
    page_size: int
    names: list[str]
    start: int


@dataclass
class Paging:
    """``cap``: most entries of a page, to get several pages out of few files. ``empty_first``: first pages hold nothing."""

    cap: int = MAX_PAGE
    empty_first: bool = False
    tokens: dict[str, Rest] = field(default_factory=dict)

    def page(self, request: Request, place: Place, directory: Directory) -> dict[str, Any]:
        """One page as a document without empty fields. Raises Refusal 400 for a bad page_size or a foreign page_token."""
        size, token = page_size_of(request), request.parameter("page_token")
        rest = self.tokens.get(token) if token else Rest(place, size, list(directory.children), 0)
        if rest is None or (rest.place, rest.page_size) != (place, size):
            raise invalid("page_token", "is unknown, or belongs to a request with another path or page_size")
        count = 0 if self.empty_first and not token else min(size, self.cap)
        end = rest.start + count
        names = [name for name in rest.names[rest.start : end] if name in directory.children]
        document: dict[str, Any] = {}
        if names:
            base = place.path
            document["contents"] = [entry(f"{base}/{name}", name, directory.children[name]) for name in names]
        if end < len(rest.names):
            document["next_page_token"] = self.issue(rest._replace(start=end))
        return document

    def issue(self, rest: Rest) -> str:
        token = secrets.token_urlsafe(24) + "+/="  # characters that a client must encode
        self.tokens[token] = rest
        return token


def page_size_of(request: Request) -> int:
    text = request.parameter("page_size") or "0"
    if not (text.isascii() and text.isdigit()):
        raise invalid("page_size", "is not a number of entries")
    return min(int(text) or MAX_PAGE, MAX_PAGE)


def entry(path: str, name: str, node: Directory | File) -> dict[str, Any]:
    """A DirectoryEntry; the size of an empty file and ``is_directory`` of files are left out, being zero values."""
    kind: dict[str, Any] = {"is_directory": True} if isinstance(node, Directory) else {}
    size = {"file_size": len(node.body)} if isinstance(node, File) and node.body else {}
    return {"path": path, "name": name, "last_modified": node.modified, **kind, **size}


def invalid(name: str, text: str) -> Refusal:
    return Refusal(400, "INVALID_PARAMETER_VALUE", f"{name} {text}.")
