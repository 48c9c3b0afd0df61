"""The permission every route has unless it says otherwise: signed in, and an active member of the active organization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from users.organizations import is_active_member

if TYPE_CHECKING:
    from rest_framework.views import APIView  # that module loads this one, as the default permission


class IsMember(BasePermission):
    """401 without credentials, 403 for an account whose membership was revoked or never given."""

    message = (
        "You are not an active member of an organization: the membership was revoked or never given. Ask one of its members."
    )

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user and request.user.is_authenticated and is_active_member(request.user))
