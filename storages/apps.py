"""Wires the storages app into Django: models, and receivers of what the tasks app reports."""

from django.apps import AppConfig


class StoragesConfig(AppConfig):
    name = "storages"

    def ready(self) -> None:
        from storages import receivers  # noqa: F401
