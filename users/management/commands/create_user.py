"""``manage.py create_user EMAIL``: an account and its membership from the command line."""

import secrets
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email
from django.db import transaction

from users import legacy_tokens
from users.models import Organization, User
from users.organizations import add_member, create_organization


class Command(BaseCommand):
    """Also gives a known address a (revoked) membership again; its password then stays as it is."""

    help = "Creates a user, or adds a known one to an organization, and prints password and API key."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--password", help="default: a random one, printed")
        parser.add_argument("--organization", help="title; made if there is none. Default: the oldest organization")

    @transaction.atomic
    def handle(self, *, email: str, password: str | None, organization: str | None, **options: Any) -> None:
        email = email.lower()
        try:
            validate_email(email)
        except ValidationError as error:
            raise CommandError(f"{email!r} is not an email address") from error
        user = User.objects.filter(email=email).first()
        if user is not None and password:
            raise CommandError(f"{email} exists; change the password with: manage.py changepassword {email}")
        if user is None:
            password = password or secrets.token_urlsafe(12)
            user = User.objects.create_user(email, password)
            self.stdout.write(f"password: {password}")
        self._join(user, organization)
        self.stdout.write(f"token: {legacy_tokens.show_key(user)}")

    def _join(self, user: User, title: str | None) -> None:
        found = list(Organization.objects.filter(**({"title": title} if title else {})).order_by("pk")[:2])
        if title and len(found) > 1:
            raise CommandError(f"several organizations are called {title!r}; rename one first")
        if found:
            add_member(user, found[0])
        else:
            create_organization(title or user.email.partition("@")[2], user)
        self.stdout.write(f"organization: {found[0].title if found else user.active_organization.title}")
