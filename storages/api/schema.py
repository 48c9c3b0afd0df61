"""OpenAPI of the storage views: each route's serializer and a stable operation id, derived from its backend."""

from typing import Any

from drf_spectacular.openapi import AutoSchema

OBJECTS = {"type": "array", "items": {"type": "object"}}  # a list of objects whose keys depend on the backend
ACTIONS = {"GET": "get", "POST": "create", "PATCH": "update", "PUT": "replace", "DELETE": "delete"}


class BackendSchema(AutoSchema):
    """Operation ids such as ``import_storage_s3_list``; the tag is the direction."""

    def get_operation_id(self) -> str:
        view = self.view
        name = type(view).__name__.removeprefix("Storage").lower()
        if name == "list":
            action = "list" if self.method == "GET" else "create"
        elif name == "detail":
            action = ACTIONS[self.method]
        else:
            action = name
        return f"{view.direction}_storage_{view.backend.name}_{action}"

    def get_tags(self) -> list[str]:
        return [f"{self.view.direction.capitalize()} storages: {self.view.backend.title}"]

    def get_request_serializer(self) -> Any:
        return self._own_serializer()

    def get_response_serializers(self) -> Any:
        many = type(self.view).__name__ == "StorageList" and self.method == "GET"
        created = type(self.view).__name__ == "StorageList" and self.method == "POST"
        return {201 if created else 200: self._own_serializer(many=many)}

    def _get_serializer_field_meta(self, field: Any, direction: str) -> dict[str, Any]:
        """With the default of the column: serializers have none of their own, so that a PATCH changes only what it names."""
        meta = super()._get_serializer_field_meta(field, direction)
        model = getattr(getattr(field.parent, "Meta", None), "model", None)
        columns = {column.name: column for column in model._meta.concrete_fields} if model else {}
        if (column := columns.get(field.source)) is not None and column.has_default() and not field.read_only:
            meta.setdefault("default", getattr(column.get_default(), "value", column.get_default()))
        return meta

    def _own_serializer(self, **options: Any) -> Any:
        return self.view.get_serializer_class()(**options)
