"""The Files API 2.0 of the Databricks fake, for callers already admitted: files, directories, ranges, preconditions.

Source: Databricks REST API "Files"; RFC 9110 sections 13.1.4 and 14.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

from tests.fakes.databricks_paging import Paging
from tests.fakes.databricks_refusals import Refusal, bad_request, modified_since, no_directory, no_endpoint, outside_range
from tests.fakes.databricks_tree import File, Place, Tree
from tests.fakes.entra import json_answer
from tests.fakes.wire import Request, Response


@dataclass
class Files:
    """``clock``: epoch seconds. ``hide_empty_root``: an empty volume answers 404, as some managed volumes do."""

    tree: Tree
    paging: Paging
    clock: Callable[[], float]
    hide_empty_root: bool = False

    def answer(self, request: Request, kind: str, place: Place) -> Response:
        """``kind`` is "files" or "directories". Raises Refusal."""
        actions = self.on_file() if kind == "files" else self.on_directory()
        if request.method not in actions:
            raise no_endpoint(request.method, request.path)
        with self.tree.lock:
            return actions[request.method](request, place)

    def on_file(self) -> dict[str, Callable[[Request, Place], Response]]:
        return {"GET": self.download, "HEAD": self.stat, "PUT": self.upload, "DELETE": self.delete}

    def on_directory(self) -> dict[str, Callable[[Request, Place], Response]]:
        return {"GET": self.show, "HEAD": self.probe, "PUT": self.make, "DELETE": self.remove}

    def now(self) -> int:
        return int(self.clock() * 1000)

    def download(self, request: Request, place: Place) -> Response:
        file = self.current(request, place)
        span = span_of(request.header("range"), len(file.body))
        if span is None:
            return Response(200, headers_of(file, len(file.body)), file.body)
        part = file.body[span.start : span.stop]
        content_range = {"content-range": f"bytes {span.start}-{span.stop - 1}/{len(file.body)}"}
        return Response(206, headers_of(file, len(part)) | content_range, part)

    def stat(self, request: Request, place: Place) -> Response:
        file = self.current(request, place)
        return Response(200, headers_of(file, len(file.body)))

    def current(self, request: Request, place: Place) -> File:
        """The file; Refusal 412 if it changed after If-Unmodified-Since. A date that is none is ignored."""
        file, header = self.tree.file(place), request.header("if-unmodified-since")
        try:
            since = parsedate_to_datetime(header).timestamp() if header else None
        except ValueError:
            since = None
        if since is not None and file.modified // 1000 > since:
            raise modified_since()
        return file

    def upload(self, request: Request, place: Place) -> Response:
        """``overwrite`` left out counts as false: the documentation has said both, so a client has to send it.

        Bodies in chunks, which the service itself may take, are refused: the server here leaves them unread.
        """
        overwrite = request.parameter("overwrite") or "false"
        if overwrite not in ("true", "false"):
            raise bad_request("overwrite must be true or false.")
        if request.header("content-length") is None:
            raise Refusal(411, "BAD_REQUEST", "Content-Length is required.")  # a limit of this server
        kind = request.header("content-type") or "application/octet-stream"
        self.tree.write(place, File(request.body, self.now(), kind), overwrite == "true")
        return Response(204)

    def delete(self, request: Request, place: Place) -> Response:
        self.tree.remove_file(place)
        return Response(204)

    def show(self, request: Request, place: Place) -> Response:
        self.probe(request, place)
        return json_answer(200, self.paging.page(request, place, self.tree.directory(place)))

    def probe(self, request: Request, place: Place) -> Response:
        directory = self.tree.directory(place)
        if self.hide_empty_root and not place.names and not directory.children:
            raise no_directory()
        return Response(200, {"content-length": "0"})

    def make(self, request: Request, place: Place) -> Response:
        self.tree.make_directory(place, self.now())
        return Response(204)

    def remove(self, request: Request, place: Place) -> Response:
        self.tree.remove_directory(place)
        return Response(204)


def headers_of(file: File, length: int) -> dict[str, str]:
    modified = formatdate(file.modified // 1000, usegmt=True)
    return {"content-type": file.content_type, "content-length": str(length), "last-modified": modified}


def span_of(header: str | None, size: int) -> range | None:
    """The bytes asked for; None means all, also for a header that is no single valid range. Raises Refusal 416."""
    match = re.fullmatch(r"bytes=([0-9]*)-([0-9]*)", header or "")
    if match is None or match[1] + match[2] == "" or (match[1] and match[2] and int(match[1]) > int(match[2])):
        return None
    if match[1]:
        first, last = int(match[1]), min(int(match[2] or size), size - 1)
    else:
        first, last = max(size - int(match[2]), 0), size - 1
    if first > last:
        raise outside_range(size)
    return range(first, last + 1)
