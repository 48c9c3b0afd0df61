"""An S3 at the wire that calls the harness while a request is in flight, and can list what it should not: keys twice."""

import re
import threading
from collections.abc import Callable

from tests.fakes.s3 import S3Fake
from tests.fakes.wire import Request, Response

CHANGES = {"PUT": "write", "DELETE": "delete"}
ENTRY = re.compile(rb"<Contents>.*?</Contents>", re.DOTALL)


class HarbourStore(S3Fake):
    """``meet`` is called with "list" or "read" before a page, or a body, is sent.

    With "write" or "delete" before an object is written or deleted, with "written" when it is and nobody was told yet.
    """

    def __init__(self, page_cap: int = 50) -> None:
        self.meet: Callable[[str], None] = lambda event: None
        self.repeat: Callable[[list[bytes], bytes], list[bytes]] | None = None
        self._turn = threading.Lock()
        super().__init__(page_cap=page_cap)

    def set_page(self, size: int) -> None:
        """How many keys a page of a listing holds from now on."""
        self._gate.paging.cap = size

    def _answer(self, request: Request) -> Response:
        event = self._event(request)
        if event:
            with self._turn:
                self.meet(event)
        response = super()._answer(request)
        if event == "write":
            with self._turn:
                self.meet("written")
        if event == "list" and self.repeat and response.status == 200:
            self._list_twice(response)
        return response

    def _event(self, request: Request) -> str:
        if request.method in CHANGES:
            return CHANGES[request.method]
        if request.method != "GET":
            return ""
        if "list-type" not in request.query:
            return "read"
        return "list" if "max-keys=1000" in request.query else ""  # the check of a connection asks for one key

    def _list_twice(self, response: Response) -> None:
        """``repeat`` makes the entries of a page (XML, with its whole text) into those that are sent."""
        entries = ENTRY.findall(response.body)
        if entries:
            head, tail = response.body.split(entries[0])[0], response.body.rsplit(entries[-1], 1)[1]
            response.body = head + b"".join(self.repeat(entries, response.body)) + tail
            response.headers["content-length"] = str(len(response.body))
