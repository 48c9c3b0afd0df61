"""Django's entry to the app; registers the OpenAPI names of our ways to sign in."""

from django.apps import AppConfig


class UsersConfig(AppConfig):
    """Accounts, organizations and API tokens."""

    name = "users"

    def ready(self) -> None:
        from users import schema  # noqa: F401  drf-spectacular collects its extensions by import
