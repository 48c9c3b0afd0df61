"""Serves every route with and without its trailing slash, without a redirect.

A 301 on POST is followed by the official SDK as a body-less GET whose answer it then takes for success
(contract.md §6 trap 3), so the path is corrected before routing instead.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve


def _routed(path: str) -> bool:
    try:
        resolve(path)
    except Resolver404:
        return False
    return True


class EitherSlash:
    """Middleware: an unknown path that would be known with its final slash toggled is served as that one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if not _routed(path):
            other = path[:-1] if path.endswith("/") else path + "/"
            if other and _routed(other):
                request.path_info = other
        return self.get_response(request)
