"""What a page's own requests get when the session has ended: the way back to the page after signing in again."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect


class SignInAgain:
    """Middleware: htmx would put the sign-in form into the middle of the page; the whole page is sent there instead."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.htmx and response.status_code == 302 and response["Location"].startswith(settings.LOGIN_URL):
            return HttpResponseClientRedirect(redirect_to_login(_page_of(request)).url)
        return response


def _page_of(request: HttpRequest) -> str:
    """Path and query of the page that sent the request; "/" if that is not one of ours."""
    current = request.htmx.current_url or ""
    if not url_has_allowed_host_and_scheme(current, {request.get_host()}):
        return "/"
    parts = urlsplit(current)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
