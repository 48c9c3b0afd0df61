"""What a page that shows media may load beside our own answers: the redirects to signed URLs. Never script or style."""

import re
from urllib.parse import urlsplit

from django.http import HttpResponse

from storages.backends import BACKENDS
from storages.media.resolve import Source, Sources

ORIGIN = re.compile(r"http://[A-Za-z0-9.\-]+(:[0-9]{1,5})?|http://\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")


def allow_media(response: HttpResponse, sources: Sources) -> HttpResponse:
    """``response`` with a policy that lets images, players and documents follow redirects (CSP3 §4.1.3 checks each one).

    Signed URLs are https, or at an endpoint that one of the project's storages names.
    """
    signing = [source for source in sources.usable if getattr(source.storage, "presign", False)]
    places = ["https:", *sorted({origin for source in signing for origin in _plain_origins(source)})] if signing else []
    response._csp_update = {"img-src": places, "media-src": ["'self'", *places], "frame-src": ["'self'", *places]}
    return response


def _plain_origins(source: Source) -> set[str]:
    """The http: origins among what says where the storage's objects are."""
    storage, client = source
    told = [str(getattr(storage, name) or "") for name in BACKENDS[storage.backend_name].location]
    found = set()
    for text in (client.place, *told):
        parts = urlsplit(text) if text.strip().lower().startswith("http://") else None
        origin = f"http://{parts.netloc.rpartition('@')[2]}" if parts else ""
        if ORIGIN.fullmatch(origin):
            found.add(origin)
    return found
