"""Writes and deletes exported objects with a pool of threads; knows keys and bytes, not what they mean."""

import hashlib
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import count
from typing import Any, NamedTuple, Self

from storages.client import Client
from storages.errors import StorageError

FEW, WRITERS = 4, 32  # objects in flight: to begin with, and where the store takes its time
ENOUGH = 8  # failures without a success, after which nothing else is tried
LOOK = 0.05  # seconds after which it is judged whether more would help
BUSY = 0.5  # of one processor: more threads would only take turns


class Write(NamedTuple):
    """One object to bring up to date. ``subject`` is the caller's handle.

    ``body`` is written to ``key`` (None: nothing is), then the object at ``old_key`` is removed ("": none is).
    """

    subject: int
    key: str
    body: bytes | None
    old_key: str = ""


def encode(payload: dict[str, Any]) -> bytes:
    """The JSON of an exported object: compact, ASCII-escaped, the same bytes for the same payload."""
    return json.dumps(payload, separators=(",", ":")).encode()


def digest(body: bytes) -> bytes:
    """16 bytes that tell two bodies apart (BLAKE2b-128)."""
    return hashlib.blake2b(body, digest_size=16).digest()


def _in_vain(done: Sequence[tuple[Write, StorageError | None]]) -> StorageError | None:
    """What the first ones failed with, if the store is away for all: the others need not wait for it, too."""
    if len(done) < ENOUGH or any(error is None or not error.retryable for _, error in done):
        return None
    return done[-1][1]


class Pusher:
    """Threads that write to one client, as many as it takes to be busy all the time; a context manager."""

    def __init__(self, client: Client) -> None:
        self.client, self.width = client, FEW
        self._pool = ThreadPoolExecutor(WRITERS, thread_name_prefix="push")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def push(self, writes: Sequence[Write]) -> list[tuple[Write, StorageError | None]]:
        """Carries out ``writes``, several at a time; each with its failure, if any, in any order."""
        done: list[tuple[Write, StorageError | None]] = []
        places = count()  # next() is one step for all threads

        def carry() -> None:
            while (place := next(places)) < len(writes):
                write, vain = writes[place], _in_vain(done)
                done.append((write, vain) if vain else self._carry_out(write))

        most = min(WRITERS, len(writes))
        running = [self._pool.submit(carry) for _ in range(min(self.width, most))]
        started, worked = time.monotonic(), time.process_time()
        while wait(running, LOOK).not_done:
            if time.process_time() - worked < BUSY * (time.monotonic() - started):
                running += [self._pool.submit(carry) for _ in range(min(len(running), most - len(running)))]
                self.width = max(self.width, len(running))
            started, worked = time.monotonic(), time.process_time()
        for future in running:
            future.result()
        return done

    def _carry_out(self, write: Write) -> tuple[Write, StorageError | None]:
        try:
            if write.body is not None:
                self.client.write(write.key, write.body)
            if write.old_key:
                self.client.delete(write.old_key)
        except StorageError as error:
            return write, error
        return write, None
