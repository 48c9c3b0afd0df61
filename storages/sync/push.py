"""Writes and deletes exported objects with a pool of threads; knows keys and bytes, not what they mean."""

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any, NamedTuple, Self

from storages.client import Client
from storages.errors import StorageError

WRITERS = 32  # objects in flight


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


class Pusher:
    """Threads that write to one client; a context manager."""

    def __init__(self, client: Client) -> None:
        self.client = client
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
                done.append(self._carry_out(writes[place]))

        for future in [self._pool.submit(carry) for _ in range(min(WRITERS, len(writes)))]:
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
