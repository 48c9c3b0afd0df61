"""SecretField: a text column that is ciphertext in the database and never leaves through the API."""

from django.db import models

from config.crypto import decrypt, encrypt


class SecretField(models.TextField):
    """Encrypted at rest, write-only in serializers, a password input in forms. "" and None are stored as they are.

    Ciphertexts of equal texts differ, so the column can be neither filtered nor ordered by content.
    """

    def from_db_value(self, value: str | None, expression: object, connection: object) -> str | None:
        return decrypt(value) if value else value

    def get_prep_value(self, value: str | None) -> str | None:
        return encrypt(value) if value else value

    def value_to_string(self, obj: models.Model) -> str:
        """What ``manage.py dumpdata`` prints: nothing."""
        return ""

    def get_lookup(self, lookup_name: str) -> type[models.Lookup] | None:
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None


def secret_names(model: type[models.Model]) -> list[str]:
    """Names of the model's secret columns."""
    return [field.name for field in model._meta.get_fields() if isinstance(field, SecretField)]
