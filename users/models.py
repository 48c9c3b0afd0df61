"""Accounts, organizations with membership, and the two kinds of API token."""

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.utils import timezone

API_TOKEN_TTL_DAYS = 73_000  # 200 years of 365 days, what Label Studio gives (contract.md §3.1)


class Organization(models.Model):
    """A tenant: projects, storages and members belong to exactly one."""

    title = models.CharField(max_length=1000)
    created_by = models.ForeignKey("users.User", null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    api_tokens_enabled = models.BooleanField(default=True, help_text="JWT personal access tokens are accepted")
    legacy_api_tokens_enabled = models.BooleanField(default=True, help_text="Authorization: Token is accepted")
    api_token_ttl_days = models.PositiveIntegerField(default=API_TOKEN_TTL_DAYS, help_text="lifetime of new personal tokens")

    def __str__(self) -> str:
        return self.title


class UserManager(BaseUserManager):
    """Creates and finds users by email, the only login name; upper and lower case are the same address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        email = email.lower()
        if not fields.get("username"):
            fields["username"] = email.partition("@")[0]
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, email: str | None) -> "User":
        return self.get(email=(email or "").lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person or robot that signs in with an email address."""

    email = models.EmailField(unique=True)
    username = models.CharField(max_length=256, blank=True, default="")
    first_name = models.CharField(max_length=256, blank=True, default="")
    last_name = models.CharField(max_length=256, blank=True, default="")
    phone = models.CharField(max_length=256, blank=True, default="")
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(default=timezone.now)
    last_activity = models.DateTimeField(default=timezone.now)
    allow_newsletters = models.BooleanField(null=True, default=None)
    custom_hotkeys = models.JSONField(default=dict, blank=True)
    active_organization = models.ForeignKey(Organization, null=True, on_delete=models.SET_NULL, related_name="+")

    objects = UserManager()
    USERNAME_FIELD = "email"

    def __str__(self) -> str:
        return self.email

    @property
    def initials(self) -> str:
        """Two letters for a badge: of first and last name, else of the email address."""
        return (self.first_name[:1] + self.last_name[:1]) or self.email[:2]


class OrganizationMember(models.Model):
    """Membership; ``deleted_at`` set means revoked, the row stays as a record."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="memberships")
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(null=True, default=None)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "organization"], name="one_membership")]


class LegacyToken(models.Model):
    """The user's ``Authorization: Token`` key: found by digest, shown again to its owner from the ciphertext."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="legacy_token")
    digest = models.CharField(max_length=64, unique=True, help_text="sha256 of the key, hex")
    ciphertext = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)


class PersonalToken(models.Model):
    """A JWT refresh token that was handed out; only header and payload are kept, the signature never is."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="personal_tokens")
    jti = models.CharField(max_length=64, unique=True)
    unsigned = models.TextField(help_text="header.payload, without the signature")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    blacklisted_at = models.DateTimeField(null=True, default=None)
