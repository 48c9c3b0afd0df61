"""Names our ways to sign in for the OpenAPI document; holds no behaviour."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema


class TokenScheme(OpenApiAuthenticationExtension):
    """The legacy key, in either header."""

    target_class = "users.authentication.TokenAuthentication"
    name = ["Token", "ApiKey"]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        legacy = "Legacy API key, as: Token <key>"
        return [
            {"type": "apiKey", "in": "header", "name": "Authorization", "description": legacy},
            {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "Legacy API key or access token"},
        ]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        return [{name: []} for name in self.name]


class JWTScheme(OpenApiAuthenticationExtension):
    """A five-minute access token."""

    target_class = "users.authentication.JWTAuthentication"
    name = "Bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
