"""The organization page: its members, and which kinds of token it accepts. Members are equals; nobody removes themselves."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST
from rest_framework.exceptions import ValidationError

from users.api.accounts import create_member
from users.api.token_serializers import JWTSettingsSerializer
from users.organizations import members, revoke_member
from users.pages.access import member_page

SWITCHES = ("api_tokens_enabled", "legacy_api_tokens_enabled")
FIELDS = (  # of a new colleague: name, label, type, autocomplete
    ("email", "Email", "email", "off"),
    ("first_name", "First name", "text", "off"),
    ("last_name", "Last name", "text", "off"),
    ("password", "Password", "password", "new-password"),
)


@require_http_methods(["GET", "HEAD", "POST"])
@member_page
def organization(request: HttpRequest) -> HttpResponse:
    """The page; a POST adds a colleague."""
    if request.method != "POST":
        return _page(request, {}, {})
    entered = {name: request.POST.get(name, "").strip() for name, *_ in FIELDS}
    try:
        member = create_member({name: value for name, value in entered.items() if value}, request.user)
    except ValidationError as error:
        return _page(request, entered, error.detail)
    messages.success(request, f"{member.email} is a member now.")
    return redirect("organization")


def _page(request: HttpRequest, entered: dict[str, str], errors: dict[str, Any]) -> HttpResponse:
    fields = [
        {
            "name": name,
            "label": label,
            "type": kind,
            "autocomplete": autocomplete,
            "value": "" if kind == "password" else entered.get(name, ""),
            "errors": errors.get(name, ()),
        }
        for name, label, kind, autocomplete in FIELDS
    ]
    mine = request.user.active_organization
    return render(request, "users/organization.html", {"organization": mine, "members": members(mine.pk), "fields": fields})


@require_POST
@member_page
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    mine = request.user.active_organization
    member = members(mine.pk).filter(pk=pk).first()
    if member is None:
        raise Http404("There is no such member in your organization.")
    if member.pk == request.user.pk:
        messages.error(request, "You cannot remove yourself; another member has to do it.")
    else:
        revoke_member(member, mine)
        messages.success(request, f"{member.email} is no longer a member and is refused from now on.")
    return redirect("organization")


@require_POST
@member_page
def switches(request: HttpRequest) -> HttpResponse:
    wanted: dict[str, Any] = {name: request.POST.get(name) == "true" for name in SWITCHES}
    body = JWTSettingsSerializer(request.user.active_organization, data=wanted, partial=True)
    body.is_valid(raise_exception=True)
    body.save()
    messages.success(request, "Saved which tokens the organization accepts.")
    return redirect("organization")
