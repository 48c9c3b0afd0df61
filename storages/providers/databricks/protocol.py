"""What the Files API answers: listings, error codes and phrases as tables; sends nothing."""

import json
import re
from datetime import UTC, datetime
from typing import Any, NamedTuple

from storages import errors
from storages.client import ObjectInfo

# phrases and reasons of https://docs.databricks.com/api/workspace/files and of recorded answers (protocols.md §1.3)
CODES: dict[str, type[errors.StorageError]] = {
    "Invalid access token": errors.BadCredentials,
    "blocked by Databricks IP ACL": errors.Unavailable,
    "required scopes": errors.ConfigInvalid,
    "FILES_API_AZURE_FORBIDDEN": errors.AccessDenied,
    "PERMISSION_DENIED": errors.AccessDenied,
    "FILES_API_INVALID_PATH": errors.ConfigInvalid,
    "ENDPOINT_NOT_FOUND": errors.ConfigInvalid,
    "NOT_FOUND": errors.NotFound,
    "ALREADY_EXISTS": errors.ConfigInvalid,  # we overwrite files, so a directory is in the way, or a file where one is needed
    "RESOURCE_EXHAUSTED": errors.Throttled,
    "REQUEST_LIMIT_EXCEEDED": errors.Throttled,
    "TEMPORARILY_UNAVAILABLE": errors.Throttled,
}


PHRASES = [  # how the messages of the sign-in layer begin, which has no codes of its own
    (re.compile("Invalid access token"), "Invalid access token"),
    (re.compile(r"Source IP address: \S+ is blocked by Databricks IP ACL"), "blocked by Databricks IP ACL"),
    (re.compile("Provided OAuth token does not have required scopes"), "required scopes"),
]


class Entries(NamedTuple):
    """One page of one directory: its files, the directories below it, and the token of the next page."""

    objects: list[ObjectInfo]
    below: list[str]
    token: str


def parse_page(container: str, directory: str, body: bytes) -> Entries:
    """One answer: any of its members may be missing where it is empty, zero or false. Raises ConfigInvalid for anything else."""
    answer, top = parse(body), f"/{container}/"
    try:
        entries = Entries([], [], str(answer.get("next_page_token") or ""))
        for entry in answer.get("contents") or ():
            path = entry["path"].rstrip("/")
            folder, _, name = path.rpartition("/")
            if folder != f"{top}{directory}".rstrip("/") or name in (".", ".."):
                raise ValueError("the entry lies elsewhere")
            path.encode()  # a lone surrogate can be in no URL
            if entry.get("is_directory"):
                entries.below.append(path[len(top) :])
            else:
                modified = datetime.fromtimestamp(int(entry.get("last_modified") or 0) / 1000, UTC)
                size = int(entry.get("file_size") or 0)
                entries.objects.append(ObjectInfo(path[len(top) :], size, modified, version(modified, size)))
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, OSError):
        message = "the answer is not a listing of the Files API; is host a Databricks workspace?"
        raise errors.ConfigInvalid(message, field="host") from None
    return entries


def parse_cursor(text: str) -> tuple[str, str]:
    """The directory and the page token that a cursor stands for. Raises CursorLost."""
    try:
        directory, token = json.loads(text)
        return str(directory), str(token)
    except (ValueError, TypeError, RecursionError):
        raise errors.CursorLost("the place where the listing is to go on cannot be read; list anew") from None


def parse(body: bytes) -> dict[str, Any] | None:
    """The JSON object in ``body``, None if it holds anything else."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def version(modified: datetime, size: int) -> str:
    """A validator, since Files API 2.0 has no ETag; in whole seconds, because Last-Modified has no more."""
    return f"{int(modified.timestamp()):x}-{size:x}"
