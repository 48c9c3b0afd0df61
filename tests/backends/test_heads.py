"""The head of an answer is read as http.client reads it, whichever way it goes; and connections are used without ado."""

import io
from http.client import HTTPException, HTTPResponse
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from storages.heads import Answer
from storages.sockets import SteadySocket
from tests.fakes.wire import Response, Server

USUAL = b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "a"\r\nX-Two: 1\r\nx-two: 2\r\n\r\nhello, and more'
LINES = st.sampled_from(
    [b"Content-Length: 5", b"content-length:5 ", b"Content-Length: 7", b"Content-Length: -1", b"Content-Length: x", b"Content-Length:",
     b"Transfer-Encoding: chunked", b"Connection: close", b"Connection: keep-alive", b"Connection: Keep-Alive, x", b"ETag: \"a\"", b"A: b:c",
     b" folded", b"no colon", b": no name", b"bad name: 1", b"Tab:\t1\t", b"Latin: \xe9", b"Nul: \x00", b"Empty:", b"X: " + b"y" * 9000]
)  # fmt: skip
STATUS = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 Same", b"HTTP/2 200",
     b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 206 Part", b"HTTP/1.1 1000 x", b"HTTP/1.1 99 x", b"ICY 200 OK", b"", b"HTTP/1.1  404  Not  Found "]
)  # fmt: skip


class Wire:
    """What HTTPResponse needs of a socket."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(io.BytesIO(self.data))


def outcome(kind: type[HTTPResponse], data: bytes, method: str) -> Any:
    """All that the kind of response tells of an answer, or how it fails."""
    response = kind(Wire(data), method=method)  # type: ignore[arg-type]
    try:
        response.begin()
        told = (response.status, response.reason, response.version, response.length, response.chunked, response.will_close)
        fields = {name: response.headers.get(name.upper()) for name, _ in response.headers.items()}
        return told, response.headers.items(), fields, response.headers.get("missing"), response.read()
    except (HTTPException, ValueError) as error:
        return type(error)


@settings(deadline=None)
@given(
    status=STATUS,
    lines=st.lists(LINES, max_size=5),
    end=st.sampled_from([b"\r\n\r\n", b"\n\n", b"\r\n", b""]),
    method=st.sampled_from(["GET", "HEAD"]),
)
@example(status=b"HTTP/1.1 200 OK", lines=[b"A: 1"] * 101 + [b"Content-Length: 5"], end=b"\r\n\r\n", method="GET")
def test_every_head_is_read_as_http_client_reads_it(status, lines, end, method):
    data = b"\r\n".join([status, *lines]) + end + b"hello, and more"
    assert outcome(Answer, data, method) == outcome(HTTPResponse, data, method)


def test_the_usual_head_takes_the_quick_way():
    response = Answer(Wire(USUAL))  # type: ignore[arg-type]
    assert response._begin() and (response.status, response.length, response.read()) == (200, 5, b"hello")
    assert response.headers.get("x-two") == "1" and len(response.headers.items()) == 4


def test_the_timeout_that_is_set_already_is_not_set_again(monkeypatch):
    asked = []
    monkeypatch.setattr("socket.socket.settimeout", lambda self, value: asked.append(value))
    with SteadySocket() as made:
        made.settimeout(None)
        made.settimeout(3)
    assert asked == [3]


def test_a_connection_that_the_server_closed_meanwhile_is_made_anew_unnoticed():
    """Also at once behind an answer, when nobody has looked yet whether it is still open."""
    body = b"12345"
    with Server(lambda request: Response(200, {"Content-Length": "5", "Connection": "close"} if request.path.endswith("last") else {"Content-Length": "5"}, body)) as server:  # fmt: skip
        keys = {"aws_access_key_id": "AKIAANYTHING", "aws_secret_access_key": "anything"}
        from storages.backends.s3 import S3ImportStorage

        client = S3ImportStorage(bucket="data", project_id=1, s3_endpoint=server.url, **keys).client()
        for key in ("first", "last", "first", "last", "first"):
            with client.open(key) as stream:
                assert stream.read(-1) == body
