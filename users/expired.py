"""What a page's own requests get when the session has ended: the way back to the page after signing in again."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect


class SignInAgain:
    """Middleware: after signing in people come to the page they were on, not to the address that its form was sent to.

    htmx would put the sign-in form into the middle of the page; the whole page is sent there instead.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code != 302 or not response["Location"].startswith(settings.LOGIN_URL):
            return response
        if request.htmx:
            return HttpResponseClientRedirect(redirect_to_login(_path(request, request.htmx.current_url)).url)
        if request.method not in ("GET", "HEAD") and request.path != settings.LOGIN_URL and "next=" in response["Location"]:
            return redirect_to_login(_path(request, request.headers.get("Referer")))
        return response


def _path(request: HttpRequest, page: str | None) -> str:
    """Path and query of the page that sent the request; "/" if that is not one of ours."""
    if not url_has_allowed_host_and_scheme(page, {request.get_host()}):
        return "/"
    parts = urlsplit(page or "")
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
