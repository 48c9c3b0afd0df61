"""The answer to a permitted read: a redirect to a signed URL, or the object itself."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from storages.media import audit, presigned
from storages.media.resolve import Source
from storages.media.stream import respond


def serve(
    request: HttpRequest, source: Source, key: str, user: int, task: int | None = None, most: float = presigned.WEEK
) -> HttpResponseBase:
    """The answer to a GET or HEAD of ``key``; ``user`` and ``task`` are for the audit log. Raises StorageError.

    A browser may remember a redirect for ``most`` seconds.
    """
    # a signed URL is for GET only, so HEAD is answered here
    response = presigned.redirect(source, key, most) if request.method == "GET" else None
    if response is None:
        response = respond(request, source.client, key, source.storage.pk)
    audit.record(request, response, source, key, user, task)
    return response
