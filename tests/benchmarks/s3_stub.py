"""A fast S3 for benchmarks, in a process of its own: ``python -m tests.benchmarks.s3_stub --port 0``.

Checks no signature. Prints its URL once it listens. ``start`` runs it from another program.
"""

import argparse
import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from tests.benchmarks import plane_answers
from tests.benchmarks.stub_answers import Reply, Store
from tests.benchmarks.stub_buckets import Buckets

PHRASES = {status.value: status.phrase for status in HTTPStatus}
LARGE = 64 << 10  # bytes from which a body is sent without copying it


class Connection(asyncio.Protocol):
    """One client: requests are answered in order, large bodies bypass the transport, which would copy them."""

    def __init__(self, store: Store, latency: float, page_latency: float) -> None:
        self.store, self.latency, self.page_latency = store, latency, page_latency
        self.loop = asyncio.get_running_loop()
        self.buffer = bytearray()
        self.busy = self.continued = False
        self.sending: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.direct = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
        self.direct.setblocking(False)

    def connection_lost(self, error: Exception | None) -> None:
        if self.sending is None:
            self.direct.close()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.advance()

    def advance(self) -> None:
        """Answers every request that has arrived completely."""
        while not self.busy and (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            first, *lines = self.buffer[:end].decode("latin-1").split("\r\n")
            method, target, _ = first.split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            size = int(headers.get("content-length", 0))
            if len(self.buffer) < end + 4 + size:
                if "expect" in headers and not self.continued:
                    self.continued = True
                    self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                return
            body = bytes(self.buffer[end + 4 : end + 4 + size])
            del self.buffer[: end + 4 + size]
            self.busy, self.continued = True, False
            reply = plane_answers.answer(target) or self.store.answer(method, target, headers, body)
            if latency := self.latency + (self.page_latency if "list-type=2" in target else 0):
                self.loop.call_later(latency, self.finish, method, reply)
            else:
                self.send(method, reply)

    def finish(self, method: str, reply: Reply) -> None:
        self.send(method, reply)
        self.advance()

    def send(self, method: str, reply: Reply) -> None:
        lines = [f"HTTP/1.1 {reply.status} {PHRASES[reply.status]}"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        if reply.status != 204:
            lines.append(f"Content-Length: {len(reply.body)}")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        if method != "HEAD" and len(reply.body) > LARGE:
            self.sending = self.loop.create_task(self.send_large(head, reply.body))
            return
        self.transport.write(head if method == "HEAD" else b"".join((head, reply.body)))
        self.busy = False

    async def send_large(self, head: bytes, body: bytes | memoryview) -> None:
        while self.transport.get_write_buffer_size():
            await asyncio.sleep(0.001)  # earlier answers first
        try:
            await self.loop.sock_sendall(self.direct, head)
            await self.loop.sock_sendall(self.direct, body)
        except OSError:
            self.transport.abort()  # the client has seen enough
        self.sending, self.busy = None, False
        if self.transport.is_closing():
            self.direct.close()
        else:
            self.advance()


async def serve(options: argparse.Namespace) -> None:
    store = Store(Buckets(jsonl_lines=options.jsonl_lines, big_mib=options.big_mib))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(store, options.latency_ms / 1000, options.page_latency_ms / 1000),
        "127.0.0.1",
        options.port,
        backlog=512,
    )
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


@contextmanager
def start(*options: str) -> Iterator[str]:
    """Runs the stub as a process with the given command-line options: its URL. Ends it afterwards."""
    command = [sys.executable, "-m", "tests.benchmarks.s3_stub", *options]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root, env={**os.environ}) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url:
                raise RuntimeError("the S3 stub ended before it listened; its message stands above")
            yield url
        finally:
            process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(
        description="A fast S3 for benchmarks: buckets bench-N, tasks-N, jsonl-N, parquet-N, jsonl, media, any other."
    )
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--jsonl-lines", type=int, default=10_000, help="lines of jsonl/rows.jsonl")
    parser.add_argument("--big-mib", type=int, default=64, help="size of media/big.bin")
    parser.add_argument("--latency-ms", type=float, default=0, help="wait before every answer")
    parser.add_argument("--page-latency-ms", type=float, default=0, help="wait before every page of a listing, besides")
    try:
        asyncio.run(serve(parser.parse_args()))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
