"""JSON bodies up to MAX_REQUEST_BYTES; DRF's own parser reads whatever is sent."""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework import exceptions, parsers, status


class TooLarge(exceptions.APIException):
    """413: the body is larger than the server takes."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE


class JSONParser(parsers.JSONParser):
    """Refuses a body by its Content-Length, before a byte of it is read."""

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        length = parser_context["request"].META.get("CONTENT_LENGTH") or "0" if parser_context else "0"
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if not length.isdecimal() or int(length) > limit:
            raise TooLarge(f"the body has {length} bytes, this server takes {limit}; send it in parts or raise MAX_REQUEST_BYTES")
        return super().parse(stream, media_type, parser_context)
