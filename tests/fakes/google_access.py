"""Who may do what on which bucket: bearer tokens, their scopes, and permissions granted per principal and bucket.

Source: Cloud Storage "IAM permissions for JSON methods"; JSON API "HTTP status and error codes", 401 and 403.
"""

from dataclasses import dataclass, field

from tests.fakes.claims import Refusal
from tests.fakes.google_tokens import Token, Tokens
from tests.fakes.wire import Request

OBJECT_PERMISSIONS = ("storage.objects.list", "storage.objects.get", "storage.objects.create", "storage.objects.delete")


@dataclass
class Access:
    """``grants``: (principal, bucket) to permissions."""

    tokens: Tokens
    grants: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def caller(self, request: Request) -> Token:
        """The living token of the request. Raises Refusal 401."""
        token = self.tokens.holder(request)
        if token is not None:
            return token
        anonymous = request.header("authorization") is None
        message = "Anonymous caller does not have storage access to the resource." if anonymous else "Invalid Credentials"
        reason = "required" if anonymous else "authError"
        refusal = Refusal(401, reason, message, locationType="header", location="Authorization")
        refusal.headers = {"www-authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"'}
        raise refusal

    def require(self, token: Token, permission: str, bucket: str) -> None:
        """Raises Refusal 403 unless scopes and grants both allow it."""
        if not token.lets(permission):
            raise Refusal(403, "insufficientPermissions", "Request had insufficient authentication scopes.")
        self.require_granted(token.principal, permission, bucket)

    def require_granted(self, principal: str, permission: str, bucket: str) -> None:
        if not self.granted(principal, permission, bucket):
            target = "bucket" if permission in ("storage.objects.list", "storage.buckets.get") else "object"
            message = f"{principal} does not have {permission} access to the Google Cloud Storage {target}."
            denied = f"Permission '{permission}' denied on resource (or it may not exist)."
            raise Refusal(403, "forbidden", f"{message} {denied}")

    def granted(self, principal: str, permission: str, bucket: str) -> bool:
        return permission in self.grants.get((principal, bucket), set())
