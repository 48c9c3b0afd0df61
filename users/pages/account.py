"""The account page: personal access tokens and the legacy key. A secret is in one answer, the one to the click that asked."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from config.crypto import DecryptionFailed
from users import legacy_tokens, personal_tokens
from users.authentication import JWT_SWITCH, SWITCHED_OFF
from users.pages.access import member_page

UNREADABLE = "Your key still works but cannot be shown again: its encryption key is gone. Make a new one."


@require_safe
@member_page
def account(request: HttpRequest) -> HttpResponse:
    return _page(request)


def _page(request: HttpRequest, **secrets: str) -> HttpResponse:
    organization = request.user.active_organization
    context = {
        "tokens": personal_tokens.live_tokens(request.user),
        "organization": organization,
        "personal_off": "" if organization.api_tokens_enabled else SWITCHED_OFF[JWT_SWITCH],
        "now": timezone.now(),
    }
    return render(request, "users/account.html", context | secrets)


@require_POST
@never_cache
@member_page
def create_token(request: HttpRequest) -> HttpResponse:
    """Shows the new token, this once."""
    if not request.user.active_organization.api_tokens_enabled:
        messages.error(request, SWITCHED_OFF[JWT_SWITCH])
        return redirect("account")
    try:
        return _page(request, new_token=personal_tokens.create_token(request.user))
    except personal_tokens.TokenExists:
        messages.error(request, "You already have a token. Revoke it before you create another one.")
        return redirect("account")


@require_POST
@member_page
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    if personal_tokens.live_tokens(request.user).filter(pk=pk).update(blacklisted_at=timezone.now()):
        messages.success(request, "The token was revoked. Programs that use it are refused within five minutes.")
    else:
        messages.warning(request, "This token had ended already.")
    return redirect("account")


@require_POST
@never_cache
@member_page
def show_key(request: HttpRequest) -> HttpResponse:
    try:
        return _page(request, legacy_key=legacy_tokens.show_key(request.user))
    except DecryptionFailed:
        messages.error(request, UNREADABLE)
        return redirect("account")


@require_POST
@never_cache
@member_page
def reset_key(request: HttpRequest) -> HttpResponse:
    """Shows the new key; the old one stops working at once."""
    return _page(request, legacy_key=legacy_tokens.set_key(request.user), was_reset="yes")
