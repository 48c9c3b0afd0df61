"""Query parameters of a request, read strictly: what could mean two things is a 400 that names the parameter."""

import json
from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from projects.access import key_of

FLAGS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
MAX_IDS = 10_000


def read_flag(request: Request, name: str, default: bool) -> bool:
    """A boolean parameter; absent or empty gives ``default``. Raises ValidationError (400)."""
    text = (request.query_params.get(name) or "").lower()
    if not text:
        return default
    if text not in FLAGS:
        raise ValidationError({name: [f"{text[:50]!r} is neither true nor false"]})
    return FLAGS[text]


def read_text(request: Request, name: str) -> str:
    """A text parameter, empty when absent. Raises ValidationError (400) for U+0000, which PostgreSQL refuses."""
    text = request.query_params.get(name) or ""
    if "\0" in text:
        raise ValidationError({name: ["it holds the character U+0000, which nothing can match"]})
    return text


def read_ids(request: Request, name: str) -> list[int]:
    """Primary keys: repeated (``name=1&name=2`` or ``name[]=…``), comma-separated, or a JSON list. Raises ValidationError."""
    texts = request.query_params.getlist(name) + request.query_params.getlist(f"{name}[]")
    parts = [part.strip() for text in texts for part in text.strip("[] ").split(",") if part.strip()]
    ids = [key_of(part) for part in parts]
    if len(ids) > MAX_IDS or 0 in ids:
        raise ValidationError({name: [f"give at most {MAX_IDS:,} ids, whole numbers separated by commas"]})
    return ids


def read_json(request: Request, name: str) -> Any:
    """A parameter that holds JSON, None when absent. Raises ValidationError (400)."""
    text = read_text(request, name)
    if not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValidationError({name: ["it is not JSON"]}) from None
