"""``page`` and ``page_size`` of a request, read strictly; knows nothing of what is paged."""

from dataclasses import dataclass

from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request


@dataclass(frozen=True, slots=True)
class Page:
    """Rows ``offset`` to ``offset + size`` (exclusive), counted from 0."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size

    def require(self, total: int) -> None:
        """Raise NotFound (404) past the end; the first page of nothing is fine."""
        if self.number > 1 and self.offset >= total:
            raise NotFound("Invalid page.")

    def link(self, request: Request, total: int, step: int) -> str | None:
        """The absolute URL of the page ``step`` away, None when there is none."""
        number = self.number + step
        if number < 1 or (number - 1) * self.size >= max(total, 1):
            return None
        query = request.query_params.copy()
        query["page"] = str(number)
        return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")


def read_page(request: Request, *, default: int, maximum: int) -> Page:
    """The page asked for. A larger ``page_size`` is cut to ``maximum``; a page that is no number is 404, a size 400."""
    number, size = request.query_params.get("page") or "1", request.query_params.get("page_size") or str(default)
    if not _is_count(number):
        raise NotFound("Invalid page.")
    if not _is_count(size):
        if size == "-1":  # Label Studio's "everything"
            size = str(maximum)
        else:
            raise ValidationError({"page_size": [f"{size[:50]!r} is not a whole number above 0"]})
    return Page(int(number), min(int(size), maximum))


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18 and int(text) > 0
