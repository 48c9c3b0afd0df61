"""A real server over real sockets with one storage of one backend behind it: objects in, answers of the proxy out.

Also the URLs of a server whose storage no resolver serves (Redis): the same code path, without a URI.
"""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import ClassVar, NamedTuple
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.test import Client as Browser
from django.test import override_settings
from django.urls import path
from pytest_django.live_server_helper import LiveServer

from projects.models import Project
from storages.backends import BACKENDS
from storages.media.stream import respond
from storages.media.uris import encode
from storages.media.views import MediaView
from tasks.models import Task
from tests.backends.boxes import HARNESSES
from tests.backends.harness import Harness
from users.models import Organization, OrganizationMember, User


class Answer(NamedTuple):
    """What came over the socket."""

    status: int
    headers: HTTPMessage
    body: bytes


class Desk:
    """``box``: the container; ``put`` there, then ``ask`` here."""

    def __init__(self, box: Harness, server: LiveServer, user: User, project: Project) -> None:
        self.box, self.project, self.client = box, project, box.client()
        browser = Browser()
        browser.force_login(user)
        self.session = browser.cookies[settings.SESSION_COOKIE_NAME].value
        self.connection = HTTPConnection(server.thread.host, server.thread.port, timeout=20)
        self.addresses: dict[str, str] = {}

    def ask(self, name: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Answer:
        """The answer to a request for the object ``name``, as its task's link asks for it."""
        cookie = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={self.session}"}
        self.connection.request(method, self.address(name), headers=cookie | dict(headers or {}))
        response = self.connection.getresponse()
        return Answer(response.status, response.headers, response.read())

    def address(self, name: str) -> str:
        """Where the proxy serves the object; a task that shows it is made at the first time."""
        if name not in self.addresses:
            self.addresses[name] = self._address(name)
        return self.addresses[name]

    def _address(self, name: str) -> str:
        if self.box.name == "redis":
            return f"/values/{quote(name)}"
        uri = self.client.uri(self.box.key(name))
        if self.box.name == "localfiles":
            return uri.removeprefix(settings.HOST)
        task = Task.objects.create(project=self.project, inner_id=self.project.tasks.count() + 1, data={"image": uri})
        return f"/tasks/{task.pk}/resolve/?fileuri={quote(encode(uri))}"


class Value(MediaView):
    """Any object of one storage."""

    box: ClassVar[Harness]

    def get(self, request: HttpRequest, name: str) -> HttpResponseBase:
        return respond(request, self.box.client(), self.box.key(name), 1)


urlpatterns = [path("values/<path:name>", Value.as_view())]


@contextmanager
def opened(backend: str, directory: Path, **values: object) -> Iterator[Desk]:
    """A desk with an empty container under Django settings ``values``. Needs the database to itself (transaction=True)."""
    box = HARNESSES[backend](directory)
    values |= {"ALLOWED_HOSTS": ["*"]} | ({"ROOT_URLCONF": __name__} if backend == "redis" else {})
    try:
        with override_settings(**values):
            team = Organization.objects.create(title="Harbour")
            user = User.objects.create_user("media@harbour.example", None, active_organization=team)
            OrganizationMember.objects.create(user=user, organization=team)
            project = Project.objects.create(title="Ships", label_config="<View/>", organization=team, created_by=user)
            model, columns = BACKENDS[backend].import_model, box.settings() | {"project": project}
            Value.box = box
            if backend != "redis":
                model.objects.create(**columns | ({"presign": False} if hasattr(model, "presign") else {}))
            server = LiveServer("127.0.0.1")
            # inherited by its connections: the packet behind the head of an answer would wait 40 ms for an acknowledgement
            server.thread.httpd.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            desk = Desk(box, server, user, project)
            try:
                yield desk
            finally:
                desk.connection.close()
                server.stop()
    finally:
        box.close()
