"""A WSGI application for a real gunicorn: objects in memory at /<key>, how often the upstream was closed at /closed.

The objects of the store that UPSTREAM_URL names are at /wire/<key>.
"""

import os

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path
from rest_framework.request import Request

from tests.storages.media.served_sizes import BREAKS_AT, SIZE

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()
settings.ROOT_URLCONF = __name__

from storages.media.stream import respond  # noqa: E402 - needs Django
from storages.media.views import MediaView  # noqa: E402
from tests.storages.media.memory import MemoryClient  # noqa: E402
from tests.storages.media.upstream import WireClient  # noqa: E402
from users.api.service import Version  # noqa: E402

large = MemoryClient({"large.bin": bytes(SIZE), "small.txt": b"hello"})
breaking = MemoryClient({"breaking.bin": bytes(SIZE)}, etag="")
breaking.breaks_at, breaking.modified = BREAKS_AT, None  # without a version it cannot be opened again in the middle
wire = WireClient(os.environ.get("UPSTREAM_URL", "http://127.0.0.1:9"))


class Served(MediaView):
    authentication_classes, permission_classes = (), ()
    upstream: MemoryClient | WireClient | None = None

    def get(self, request: Request, key: str) -> HttpResponseBase:
        return respond(request, self.upstream or (breaking if key in breaking.objects else large), key, 1)


urlpatterns = [
    path("closed", lambda request: HttpResponse(str(large.closed + breaking.closed))),
    path("api/version/", Version.as_view()),
    path("wire/<str:key>", Served.as_view(upstream=wire)),
    path("<str:key>", Served.as_view()),
]
application = WSGIHandler()
