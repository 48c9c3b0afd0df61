"""Reads the head of an HTTP answer in one step where it has the usual form; knows no host and no connection.

http.client reads line by line and then parses the lines as e-mail, which takes longer than all else in a small read.
Source: RFC 9112 §4 (status line), §5 (field syntax), §6.3 (message body length), §9.3 (persistence).
"""

import re
from http.client import HTTPMessage, HTTPResponse
from typing import Any

STATUS = re.compile(r"HTTP/1\.1 ([2-9][0-9]{2})(?: ([\x20-\x7e]*))?")
FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x20\x7f](?:[^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?|)")
BODYLESS = (204, 304)


class Fields(HTTPMessage):
    """Header fields that are known to be well-formed, in their order."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        super().__init__()
        self._headers = pairs
        self._first = {name.lower(): value for name, value in reversed(pairs)}

    def items(self) -> list[tuple[str, str]]:  # type: ignore[override]
        return self._headers

    def get(self, name: str, failobj: Any = None) -> Any:
        return self._first.get(name.lower(), failobj)


class Answer(HTTPResponse):
    """An answer of HTTP/1.1 whose head came as a whole and whose body has a length; every other is left to http.client."""

    def begin(self) -> None:
        if self.headers is not None or not self._begin():
            super().begin()

    def _begin(self) -> bool:
        """Whether the head could be read; nothing is consumed if not."""
        head, found, _ = self.fp.peek(1).partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        status, fields = STATUS.fullmatch(first), [FIELD.fullmatch(line) for line in lines]
        if not found or status is None or None in fields or len(fields) > 100:
            return False
        message = Fields([field.groups() for field in fields])
        lengths = [value for name, value in message.items() if name.lower() == "content-length"]
        plain = "transfer-encoding" not in message._first and message.get("connection", "keep-alive").lower() == "keep-alive"
        if not plain or len(lengths) != 1 or not (lengths[0].isascii() and lengths[0].isdigit() and len(lengths[0]) < 19):
            return False
        self.fp.read(len(head) + 4)
        self.code = self.status = int(status[1])
        self.reason, self.version, self.headers = (status[2] or "").strip(), 11, message
        self.msg = message
        self.chunked = self.will_close = False
        self.length = 0 if self._method == "HEAD" or self.status in BODYLESS else int(lengths[0])
        return True
