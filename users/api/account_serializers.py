"""How people look on the wire, and what may be changed of them (contract.md §3.1); knows no view."""

import json
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from rest_framework import serializers

from users.models import Organization, User

HOTKEYS_MAX_BYTES = 64 * 1024
# What every member may do; Label Studio's permission names. There are no roles: members of an organization are equals.
MEMBER_PERMISSIONS = [
    *("organizations.view", "organizations.change", "organizations.invite"),
    *(f"{thing}.{verb}" for thing in ("projects", "tasks", "annotations") for verb in ("create", "view", "change", "delete")),
    *("predictions.any", "storages.view", "storages.change", "storages.sync"),
]


def check_hotkeys(value: Any) -> None:
    """Raises ValidationError unless ``value`` is an object that both databases can store."""
    if not isinstance(value, dict):
        raise serializers.ValidationError('Expected an object such as {"annotation:submit": {"key": "ctrl+enter"}}.')
    try:
        size = len(json.dumps(value, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        raise serializers.ValidationError("The text holds half of a surrogate pair, which is no character.") from None
    if size > HOTKEYS_MAX_BYTES:
        raise serializers.ValidationError(f"{size} bytes; at most {HOTKEYS_MAX_BYTES} are kept.")
    if "\\u0000" in json.dumps(value):
        raise serializers.ValidationError("The NUL character is not allowed.")


class HotkeysSerializer(serializers.ModelSerializer):
    """The caller's own keyboard shortcuts."""

    custom_hotkeys = serializers.JSONField(validators=[check_hotkeys])

    class Meta:
        model = User
        fields = ["custom_hotkeys"]


class OrganizationMetaSerializer(serializers.Serializer):
    """Title of an organization and the address of whoever founded it."""

    title = serializers.CharField()
    email = serializers.SerializerMethodField()

    def get_email(self, organization: Organization) -> str:
        return organization.created_by.email if organization.created_by else ""


class UserSerializer(serializers.ModelSerializer):
    """A member as a colleague sees it: always within the caller's organization, whatever else the member belongs to."""

    avatar = serializers.SerializerMethodField()
    initials = serializers.CharField(read_only=True)
    active_organization = serializers.SerializerMethodField()
    active_organization_meta = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = [
            *("id", "first_name", "last_name", "username", "email", "last_activity", "custom_hotkeys", "avatar", "initials"),
            *("phone", "active_organization", "active_organization_meta", "allow_newsletters", "date_joined"),
        ]

    def get_avatar(self, user: User) -> str | None:
        return None

    def get_active_organization(self, user: User) -> int:
        return self.context["request"].user.active_organization_id

    def get_active_organization_meta(self, user: User) -> dict[str, str]:
        return OrganizationMetaSerializer(self.context["request"].user.active_organization).data


class WhoAmISerializer(UserSerializer):
    """The caller, with what the caller may do."""

    permissions = serializers.SerializerMethodField()

    class Meta(UserSerializer.Meta):
        fields = [*UserSerializer.Meta.fields, "permissions"]

    def get_permissions(self, user: User) -> list[str]:
        return MEMBER_PERMISSIONS


class PasswordField(serializers.CharField):
    """A new password: never shown, and held against AUTH_PASSWORD_VALIDATORS."""

    def __init__(self, **options: Any) -> None:
        super().__init__(write_only=True, max_length=256, trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        password = super().to_internal_value(data)
        try:
            validate_password(password)
        except DjangoValidationError as error:
            raise serializers.ValidationError(error.messages) from error
        return password


class NewUserSerializer(serializers.ModelSerializer):
    """What a member gives to create a colleague; without a password the account can only use tokens."""

    email = serializers.EmailField(max_length=254)
    password = PasswordField(required=False)
    custom_hotkeys = serializers.JSONField(required=False, validators=[check_hotkeys])

    class Meta:
        model = User
        fields = ["email", "username", "first_name", "last_name", "phone", "password", "allow_newsletters", "custom_hotkeys"]

    def validate_email(self, email: str) -> str:
        if User.objects.filter(email=email.lower()).exists():
            raise serializers.ValidationError("A user with this email address already exists.")
        return email.lower()


class OwnOrganizationField(serializers.PrimaryKeyRelatedField):
    """An organization the caller is an active member of; any other one does not exist."""

    def get_queryset(self) -> QuerySet[Organization]:
        user = self.context["request"].user
        return Organization.objects.filter(memberships__user=user, memberships__deleted_at__isnull=True)


class ProfileSerializer(serializers.ModelSerializer):
    """What people may change of themselves."""

    password = PasswordField(required=False)
    custom_hotkeys = serializers.JSONField(required=False, validators=[check_hotkeys])
    active_organization = OwnOrganizationField(required=False, queryset=Organization.objects.all())

    class Meta:
        model = User
        fields = [
            *("username", "first_name", "last_name", "phone", "password"),
            *("allow_newsletters", "custom_hotkeys", "active_organization"),
        ]

    def update(self, user: User, changes: dict[str, Any]) -> User:
        if password := changes.pop("password", None):
            user.set_password(password)
            changes["password"] = user.password
        for name, value in changes.items():
            setattr(user, name, value)
        user.save(update_fields=list(changes))  # no other column: a revocation meanwhile must stand
        return user
