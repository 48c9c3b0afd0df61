"""Who may open a page: signed-in people with an active membership."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from users.organizations import is_active_member
from users.permissions import IsMember


def member_page(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Sends others to sign in; PermissionDenied for revoked members."""

    @wraps(view)
    @login_required
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not is_active_member(request.user):
            raise PermissionDenied(IsMember.message)
        return view(request, *args, **kwargs)

    vars(checked)["for_members"] = True  # tells a page from a route of the API
    return checked
