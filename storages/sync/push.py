"""Writes and deletes exported objects with a pool of threads; knows keys and bytes, not what they mean."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from storages.client import Client
from storages.errors import StorageError

WRITERS = 16  # objects in flight


class Write(NamedTuple):
    """One object to bring up to date: ``body`` replaces it, None removes it. ``subject`` is the caller's handle."""

    subject: int
    key: str
    body: bytes | None


def encode(payload: dict[str, Any]) -> bytes:
    """The JSON of an exported object: compact, ASCII-escaped, the same bytes for the same payload."""
    return json.dumps(payload, separators=(",", ":")).encode()


def digest(body: bytes) -> bytes:
    """16 bytes that tell two bodies apart (BLAKE2b-128)."""
    return hashlib.blake2b(body, digest_size=16).digest()


def push(client: Client, writes: Iterable[Write]) -> Iterator[tuple[Write, StorageError | None]]:
    """Carries out ``writes`` in parallel and yields each with its failure, if any, in the order given."""

    def carry_out(write: Write) -> tuple[Write, StorageError | None]:
        try:
            if write.body is None:
                client.delete(write.key)
            else:
                client.write(write.key, write.body)
        except StorageError as error:
            return write, error
        return write, None

    with ThreadPoolExecutor(WRITERS, thread_name_prefix="push") as pool:
        yield from pool.map(carry_out, writes)
