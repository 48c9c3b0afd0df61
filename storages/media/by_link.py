"""Lets a request in that holds a signed link instead of a cookie or token."""

import re
from collections.abc import Callable

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, NotFound
from rest_framework.request import Request

from config.crypto import DecryptionFailed
from storages.errors import StorageError
from storages.media import audit, grants, presigned, signed_links, uris
from storages.media.resolve import Source
from storages.media.signed_links import Grant
from users.authentication import TokenAuthentication
from users.models import User
from users.organizations import account

PATH = re.compile(r"/tasks/([0-9]{1,19})/(?:resolve|presign)/?")
GONE = "The storage of this media link is gone, or its user may not see it any more."


def granted(grant: Grant) -> tuple[Source, str]:
    """What the link is for. Raises NotFound, StorageError."""
    source = grants.source_of(grant.storage, grant.user)
    for uri in uris.decode(grant.fileuri):
        if source and (key := source.client.key_of(uri)):
            return source, key
    raise NotFound(GONE)


class LinkAuthentication(BaseAuthentication):
    """``?fileuri=…&user=…&storage=…&expires=…&signature=…``: ``request.auth`` is the Grant."""

    def authenticate(self, request: Request) -> tuple[User, Grant] | None:
        """Raises PermissionDenied for a link that is forged or too old."""
        if "signature" not in request.query_params or not (match := PATH.fullmatch(request.path)):
            return None
        grant = signed_links.read(int(match[1]), request.query_params)
        user = account(grant.user)
        return (user, grant) if user and user.is_active else None

    def authenticate_header(self, request: Request) -> str:
        """As it is without a link: this is the first of the view's authentications, so it names the 401's WWW-Authenticate."""
        return TokenAuthentication.keyword


class Shortcut:
    """Middleware, the first of all: answers a signed link with its redirect without session, account or view.

    Whatever else a link leads to, errors too, is left to the view.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.redirect(request) or self.get_response(request)

    def redirect(self, request: HttpRequest) -> HttpResponseBase | None:
        """The 303, None where there is none to be given at once."""
        if "signature=" not in request.META["QUERY_STRING"] or request.method != "GET":
            return None
        if not (match := PATH.fullmatch(request.path_info)):
            return None
        try:
            grant = signed_links.read(int(match[1]), request.GET)
            source, key = granted(grant)
            if (response := presigned.redirect(source, key, signed_links.left(grant))) is not None:
                audit.record(request, response, source, key, grant.user, grant.task)
            return response
        except (APIException, StorageError, DatabaseError, InterfaceError, DecryptionFailed):
            return None
