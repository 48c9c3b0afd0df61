"""Views of tokens: personal ones, the legacy key, and the organization's switches for both."""

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import APIException, AuthenticationFailed, PermissionDenied, ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.crypto import DecryptionFailed
from users import legacy_tokens, personal_tokens
from users.api.token_serializers import (
    AccessSerializer,
    JWTSettingsSerializer,
    KeySerializer,
    PersonalTokenSerializer,
    RefreshSerializer,
)
from users.authentication import JWT_SWITCH, SWITCHED_OFF, TokenAuthentication, check_account
from users.organizations import is_active_member
from users.personal_tokens import InvalidToken, TokenExists

REFUSED = OpenApiResponse(description="The error envelope")


class TokenConflict(APIException):
    """409: one live personal token per user."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "You already have a valid token. Rotate it, or blacklist it before you create another one."


class KeyUnreadable(APIException):
    """400: the stored key was encrypted with a key that is gone; its digest still works."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_detail = "Your key still works but cannot be shown again; POST /api/current-user/reset-token/ makes a new one."


def _refresh_of(request: Request) -> str:
    body = RefreshSerializer(data=request.data)
    body.is_valid(raise_exception=True)
    return body.validated_data["refresh"]


class PersonalTokens(APIView):
    """The caller's personal access tokens."""

    @extend_schema(operation_id="api_token_list", responses=PersonalTokenSerializer(many=True))
    def get(self, request: Request) -> Response:
        return Response(PersonalTokenSerializer(personal_tokens.live_tokens(request.user), many=True).data)

    @extend_schema(operation_id="api_token_create", request=None, responses={201: KeySerializer, 409: REFUSED})
    def post(self, request: Request) -> Response:
        if not request.user.active_organization.api_tokens_enabled:
            raise PermissionDenied(SWITCHED_OFF[JWT_SWITCH])
        try:
            token = personal_tokens.create_token(request.user)
        except TokenExists:
            raise TokenConflict from None
        return Response({"token": token}, status=status.HTTP_201_CREATED)


class Refresh(APIView):
    """An access token for a live refresh token, which is the only credential looked at."""

    authentication_classes = []
    permission_classes = [AllowAny]

    def get_authenticate_header(self, request: Request) -> str:
        return TokenAuthentication.keyword  # without it DRF would turn the 401 into a 403

    @extend_schema(operation_id="api_token_refresh", request=RefreshSerializer, responses={200: AccessSerializer, 401: REFUSED})
    def post(self, request: Request) -> Response:
        try:
            user = check_account(personal_tokens.owner_of(_refresh_of(request)), JWT_SWITCH)
        except InvalidToken as error:
            raise AuthenticationFailed(str(error)) from error
        if not is_active_member(user):
            raise AuthenticationFailed("The membership in the organization was revoked.")
        return Response({"access": personal_tokens.issue_access(user)})


class Rotate(APIView):
    """A new refresh token in exchange for the caller's live one."""

    @extend_schema(operation_id="api_token_rotate", request=RefreshSerializer, responses={200: RefreshSerializer, 400: REFUSED})
    def post(self, request: Request) -> Response:
        try:
            return Response({"refresh": personal_tokens.rotate_token(_refresh_of(request), request.user)})
        except InvalidToken as error:
            raise ValidationError({"refresh": [str(error)]}) from error


class Blacklist(APIView):
    """Ends the caller's refresh token; the 404 is Label Studio's bare body, not the envelope."""

    @extend_schema(operation_id="api_token_blacklist", request=RefreshSerializer, responses={204: None, 404: REFUSED})
    def post(self, request: Request) -> Response:
        try:
            personal_tokens.blacklist_token(_refresh_of(request), request.user)
        except InvalidToken as error:
            return Response({"detail": str(error)}, status=status.HTTP_404_NOT_FOUND)
        return Response(status=status.HTTP_204_NO_CONTENT)


class JWTSettings(APIView):
    """Which kinds of token the caller's organization accepts."""

    @extend_schema(operation_id="api_jwt_settings_retrieve", responses=JWTSettingsSerializer)
    def get(self, request: Request) -> Response:
        return Response(JWTSettingsSerializer(request.user.active_organization).data)

    @extend_schema(operation_id="api_jwt_settings_update", request=JWTSettingsSerializer, responses=JWTSettingsSerializer)
    def post(self, request: Request) -> Response:
        body = JWTSettingsSerializer(request.user.active_organization, data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        body.save()
        return Response(body.data)


class LegacyKey(APIView):
    """The caller's legacy key."""

    @extend_schema(operation_id="api_current_user_token_retrieve", responses=KeySerializer)
    def get(self, request: Request) -> Response:
        try:
            return Response({"token": legacy_tokens.show_key(request.user)})
        except DecryptionFailed as error:
            raise KeyUnreadable from error


class ResetLegacyKey(APIView):
    """A new legacy key; the old one stops working at once."""

    @extend_schema(operation_id="api_current_user_reset_token", request=None, responses={201: KeySerializer})
    def post(self, request: Request) -> Response:
        return Response({"token": legacy_tokens.set_key(request.user)}, status=status.HTTP_201_CREATED)
