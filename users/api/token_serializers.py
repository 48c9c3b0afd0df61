"""How tokens and the switches for them look on the wire (contract.md §3.1); knows no view."""

from rest_framework import serializers

from users.models import API_TOKEN_TTL_DAYS, Organization, PersonalToken


class RefreshSerializer(serializers.Serializer):
    """A body that carries a refresh token."""

    refresh = serializers.CharField(max_length=4096)


class AccessSerializer(serializers.Serializer):
    """The answer to a refresh."""

    access = serializers.CharField()


class KeySerializer(serializers.Serializer):
    """A token in full."""

    token = serializers.CharField()


class PersonalTokenSerializer(serializers.ModelSerializer):
    """A live personal token without its signature."""

    token = serializers.CharField(source="unsigned")

    class Meta:
        model = PersonalToken
        fields = ["token", "created_at", "expires_at"]


class JWTSettingsSerializer(serializers.ModelSerializer):
    """Which kinds of token the organization accepts, and how many days new personal tokens live."""

    api_token_ttl_days = serializers.IntegerField(required=False, min_value=1, max_value=API_TOKEN_TTL_DAYS)

    class Meta:
        model = Organization
        fields = ["api_tokens_enabled", "legacy_api_tokens_enabled", "api_token_ttl_days"]
