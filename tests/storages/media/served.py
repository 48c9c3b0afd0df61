"""A WSGI application for a real gunicorn: objects in memory at /<key>, how often the upstream was closed at /closed."""

import os

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path

from tests.storages.media.memory import MemoryClient
from tests.storages.media.served_sizes import BREAKS_AT, SIZE

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()
settings.ROOT_URLCONF = __name__

large = MemoryClient({"large.bin": bytes(SIZE), "small.txt": b"hello"})
breaking = MemoryClient({"breaking.bin": bytes(SIZE)})
breaking.breaks_at = BREAKS_AT


def serve(request: HttpRequest, key: str) -> HttpResponseBase:
    from storages.media.stream import respond

    return respond(request, breaking if key in breaking.objects else large, key, 1)


urlpatterns = [
    path("closed", lambda request: HttpResponse(str(large.closed + breaking.closed))),
    path("<str:key>", serve),
]
application = WSGIHandler()
