"""Serves every route with and without its trailing slash, without a redirect.

A 301 on POST is followed by the official SDK as a body-less GET whose answer it then takes for success
(contract.md §6 trap 3), so the path is corrected before routing instead.
"""

import re
from collections.abc import Callable
from functools import lru_cache

from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve

NUMBER = re.compile(r"(?<=/)[0-9]+(?=/|$)")  # a segment that is a number; no route names one


LONGEST = 200  # characters of a path that is remembered: anybody can ask for a thousand paths of any length


@lru_cache(maxsize=1024)
def _routed(path: str) -> bool:
    """Whether there is a route for ``path``, in which every number is the same one."""
    try:
        resolve(path)
    except Resolver404:
        return False
    return True


def _known(path: str) -> bool:
    return (_routed if len(path) <= LONGEST else _routed.__wrapped__)(NUMBER.sub("1", path))


class EitherSlash:
    """Middleware: an unknown path that would be known with its final slash toggled is served as that one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if not _known(path):
            other = path[:-1] if path.endswith("/") else path + "/"
            if other and _known(other):
                request.path_info = other
        return self.get_response(request)
