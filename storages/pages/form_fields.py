"""The one renderer of storage settings: the API's form declaration with values, errors and conditions, as template context."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from storages.api import forms
from storages.base import Backend, Storage
from storages.fields import secret_names
from storages.pages.access import DIRECTIONS, model_of

LONG = {"google_application_credentials", "description", "label_config"}  # several lines of text


@dataclass(frozen=True)
class FormField:
    """One control. ``value`` of a secret is never set; ``kept`` says that one is stored."""

    name: str
    label: str
    kind: str = "text"  # text, password, counter, toggle, select or long
    required: bool = False
    help: str = ""
    placeholder: str = ""
    value: Any = ""
    options: tuple[tuple[str, str], ...] = ()
    errors: tuple[str, ...] = ()
    kept: bool = False
    shown: bool = True
    if_field: str = ""  # the control is of use only while that field has one of ``if_values``
    if_values: tuple[str, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)  # min and max of a number

    @property
    def described_by(self) -> str:
        """Ids of what a screen reader reads with the control."""
        parts = [f"help-{self.name}"] * bool(self.help) + [f"error-{self.name}"] * bool(self.errors)
        return " ".join(parts)


def form_rows(
    backend: Backend,
    side: str,
    values: Mapping[str, Any],
    *,
    errors: Mapping[str, Collection[str]] | None = None,
    stored: Storage | None = None,
    leave_out: Collection[str] = (),
    only: Collection[str] | None = None,
) -> list[list[FormField]]:
    """The form's rows of fields, in the order of the API's declaration; ``stored``: the storage that is edited."""
    model = model_of(backend, side)
    kept = {name for name in secret_names(model) if stored is not None and getattr(stored, name)}
    rows = []
    for row in forms.layout(backend, model, DIRECTIONS[side]):
        names = [one for one in row["fields"] if one["name"] not in leave_out and (only is None or one["name"] in only)]
        if names:
            rows.append([_field(one, backend, values, (errors or {}).get(one["name"], ()), kept, values) for one in names])
    return rows


def _field(
    told: Mapping[str, Any],
    backend: Backend,
    values: Mapping[str, Any],
    errors: Collection[str],
    kept: Collection[str],
    all_values: Mapping[str, Any],
) -> FormField:
    name, kind = told["name"], told["type"]
    options = tuple((str(one["value"]), one["label"]) for one in told.get("options", ()))
    value = values.get(name, told.get("value", ""))
    if kind == "select":
        value = str(value)
    if_field, if_values = backend.shown_if.get(name, (told.get("dependency", ""), ("true",) if "dependency" in told else ()))
    return FormField(
        name=name,
        label=told["label"],
        kind="long" if name in LONG else kind,
        required=told.get("required", False),
        help=told.get("description", ""),
        placeholder=told.get("placeholder", ""),
        value="" if kind == "password" else value,
        options=options,
        errors=tuple(errors),
        kept=name in kept,
        shown=not if_field or str(all_values.get(if_field, if_values[0])).lower() in if_values,
        if_field=if_field,
        if_values=tuple(if_values),
        limits={limit: told[limit] for limit in ("min", "max") if limit in told},
    )
