"""Views of people: the caller, and the members of the caller's organization."""

from typing import Any

from django.db import IntegrityError, transaction
from django.http import Http404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from users.api.account_serializers import (
    HotkeysSerializer,
    NewUserSerializer,
    ProfileSerializer,
    UserSerializer,
    WhoAmISerializer,
)
from users.models import User
from users.organizations import add_member, members, revoke_member

REFUSED = OpenApiResponse(description="The error envelope")


def _change_profile(request: Request) -> None:
    body = ProfileSerializer(request.user, data=request.data, partial=True, context={"request": request})
    body.is_valid(raise_exception=True)
    body.save()


def _shown(user: User, request: Request) -> Response:
    return Response(UserSerializer(user, context={"request": request}).data)


def create_member(data: Any, by: User) -> User:
    """A new account in the organization that ``by`` works in. Raises ValidationError by field."""
    body = NewUserSerializer(data=data)
    body.is_valid(raise_exception=True)
    try:
        with transaction.atomic():
            user = User.objects.create_user(**body.validated_data)
            add_member(user, by.active_organization)
    except IntegrityError as error:  # somebody took the address after it was checked
        raise ValidationError({"email": ["A user with this email address already exists."]}) from error
    return user


class WhoAmI(APIView):
    """The caller and what the caller may do."""

    @extend_schema(operation_id="api_current_user_whoami", responses=WhoAmISerializer)
    def get(self, request: Request) -> Response:
        return Response(WhoAmISerializer(request.user, context={"request": request}).data)


class CurrentUser(APIView):
    """The caller's own account."""

    @extend_schema(operation_id="api_current_user_retrieve", responses=UserSerializer)
    def get(self, request: Request) -> Response:
        return _shown(request.user, request)

    @extend_schema(operation_id="api_current_user_update", request=ProfileSerializer, responses=UserSerializer)
    def patch(self, request: Request) -> Response:
        _change_profile(request)
        return _shown(request.user, request)


class Hotkeys(APIView):
    """The caller's keyboard shortcuts."""

    @extend_schema(operation_id="api_current_user_hotkeys_retrieve", responses=HotkeysSerializer)
    def get(self, request: Request) -> Response:
        return Response(HotkeysSerializer(request.user).data)

    @extend_schema(operation_id="api_current_user_hotkeys_update", request=HotkeysSerializer, responses=HotkeysSerializer)
    def patch(self, request: Request) -> Response:
        body = HotkeysSerializer(request.user, data=request.data)
        body.is_valid(raise_exception=True)
        body.save()
        return Response(body.data)


class Users(APIView):
    """The members of the caller's organization, as a bare array."""

    @extend_schema(operation_id="api_users_list", responses=UserSerializer(many=True))
    def get(self, request: Request) -> Response:
        people = members(request.user.active_organization_id)
        return Response(UserSerializer(people, many=True, context={"request": request}).data)

    @extend_schema(operation_id="api_users_create", request=NewUserSerializer, responses={201: UserSerializer, 400: REFUSED})
    def post(self, request: Request) -> Response:
        user = create_member(request.data, request.user)
        return Response(UserSerializer(user, context={"request": request}).data, status=status.HTTP_201_CREATED)


class UserDetail(APIView):
    """One member of the caller's organization; anybody else does not exist here."""

    def member(self, request: Request, pk: int) -> User:
        user = members(request.user.active_organization_id).filter(pk=pk).first()
        if user is None:
            raise Http404("No User matches the given query.")
        return user

    @extend_schema(operation_id="api_users_retrieve", responses=UserSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return _shown(self.member(request, pk), request)

    @extend_schema(operation_id="api_users_update", request=ProfileSerializer, responses={200: UserSerializer, 403: REFUSED})
    def patch(self, request: Request, pk: int) -> Response:
        if self.member(request, pk).pk != request.user.pk:
            raise PermissionDenied("Only people themselves may change their account.")  # else a member could take another's over
        _change_profile(request)
        return _shown(request.user, request)

    @extend_schema(operation_id="api_users_destroy", responses={204: None, 403: REFUSED})
    def delete(self, request: Request, pk: int) -> Response:
        user = self.member(request, pk)
        if user.pk == request.user.pk:
            raise PermissionDenied("You cannot remove yourself; another member has to do it.")
        revoke_member(user, request.user.active_organization)
        return Response(status=status.HTTP_204_NO_CONTENT)
