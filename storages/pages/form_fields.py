"""The one renderer of storage settings: the API's form declaration with values, errors and conditions, as template context."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from storages.api import forms
from storages.base import Backend, Storage
from storages.fields import secret_names
from storages.pages.access import DIRECTIONS, model_of

LONG = {"google_application_credentials", "description", "label_config"}  # several lines of text
# what the API's documentation says of a column, in words for the person who fills it in
HELP = {
    "title": "This name tells the connection from the others of the project.",
    "prefix": "A folder inside the container, such as images/2026. Leave it empty to take all of it.",
    "use_blob_urls": "What one object of the storage becomes.",
    "regex_filter": "A regular expression that the key must match from its start. Leave it empty to take every object.",
    "recursive_scan": "Take objects from folders inside the folder as well.",
    "presign": "On: browsers load media straight from the storage with a signed URL. Off: this server passes the bytes on.",
    "presign_ttl": "How long a signed URL works, in minutes.",
    "can_delete_objects": "When an annotation is deleted here, its object in the storage is deleted too.",
    "object_form": "What one object in the storage holds.",
    "key_template": "The name below the prefix. Leave it empty for Label Studio's names.",
}


@dataclass(frozen=True)
class FormField:
    """One control. ``value`` of a secret is never set; ``kept`` says that one is stored, ``clearable`` that it may go."""

    name: str
    label: str
    kind: str = "text"  # text, password, counter, toggle, select or long
    required: bool = False
    help: str = ""
    placeholder: str = ""
    value: Any = ""
    options: tuple[tuple[str, str], ...] = ()
    errors: tuple[str, ...] = ()
    secret: bool = False
    kept: bool = False
    clearable: bool = False
    cleared: bool = False  # what is stored is to go, unless that is taken back
    focus: bool = False  # the first one with an error
    shown: bool = True
    if_field: str = ""  # the control is of use only while that field has one of ``if_values``
    if_values: tuple[str, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)  # min and max of a number

    @property
    def described_by(self) -> str:
        """Ids of what a screen reader reads with the control."""
        parts = {"help": self.help, "kept": self.kept, "error": self.errors}
        return " ".join(f"{part}-{self.name}" for part, there in parts.items() if there)

    @property
    def error_text(self) -> str:
        """The errors as sentences."""
        return " ".join(begin_sentence(text) for text in self.errors)


def begin_sentence(text: str) -> str:
    """With a capital letter if it begins with a word; not with a value, such as an address, which must stay what it is."""
    first = text.split(" ", 1)[0]
    return text[0].upper() + text[1:] if first.isalpha() and first.islower() else text


def form_rows(
    backend: Backend,
    side: str,
    values: Mapping[str, Any],
    *,
    errors: Mapping[str, Collection[str]] | None = None,
    stored: Storage | None = None,
    kept: Collection[str] = (),
    cleared: Collection[str] = (),
    leave_out: Collection[str] = (),
    only: Collection[str] | None = None,
) -> list[list[FormField]]:
    """The form's rows of fields, in the order of the API's declaration.

    ``stored``: the storage that is edited; ``kept``: secrets that were entered before and are kept elsewhere;
    ``cleared``: secrets that are to go from where they are stored.
    """
    model = model_of(backend, side)
    layout = forms.layout(backend, model, DIRECTIONS[side])
    presets = {one["name"]: _preset(one, model) for row in layout for one in row["fields"]}
    found = {one["name"]: errors[one["name"]] for row in layout for one in row["fields"] if errors and one["name"] in errors}
    known = set(_stored(model, stored, only))
    drawing = _Drawing(backend, model, presets | dict(values), found, {*kept, *known} - set(cleared), known & set(cleared))
    rows = []
    for row in layout:
        told = [one for one in row["fields"] if one["name"] not in leave_out and (only is None or one["name"] in only)]
        if told:
            rows.append([drawing.draw(one) for one in told])
    return rows


def is_shown(condition: tuple[str, Collection[str]] | None, values: Mapping[str, Any]) -> bool:
    """Whether a field with this condition of ``Backend.shown_if`` is of use while the others are ``values``."""
    return condition is None or str(values.get(condition[0], "")).lower() in condition[1]


def unused_fields(backend: Backend, side: str, values: Mapping[str, Any]) -> set[str]:
    """Names of the settings that are of no use, and not shown, while the others are ``values``."""
    model = model_of(backend, side)
    told = [one for row in forms.layout(backend, model, DIRECTIONS[side]) for one in row["fields"]]
    filled = {one["name"]: _preset(one, model) for one in told} | dict(values)
    return {one["name"] for one in told if not is_shown(_condition(backend, one), filled)}


def _condition(backend: Backend, told: Mapping[str, Any]) -> tuple[str, Collection[str]] | None:
    """The backend's own, else that of a switch which the API's declaration names."""
    return backend.shown_if.get(told["name"], (told["dependency"], ("true",)) if "dependency" in told else None)


def _preset(told: Mapping[str, Any], model: type[Storage]) -> Any:
    """What a new form shows: the declared value, else the column's default."""
    default = told.get("value", model._meta.get_field(told["name"]).get_default())
    return "" if default is None else getattr(default, "value", default)


def _stored(model: type[Storage], storage: Storage | None, only: Collection[str] | None) -> list[str]:
    asked = [name for name in secret_names(model) if only is None or name in only]  # others may not have been loaded
    return [name for name in asked if storage is not None and getattr(storage, name)]


@dataclass(frozen=True)
class _Drawing:
    """What all fields of one form share."""

    backend: Backend
    model: type[Storage]
    values: Mapping[str, Any]
    errors: Mapping[str, Collection[str]]
    kept: Collection[str]
    cleared: Collection[str]

    def draw(self, told: Mapping[str, Any]) -> FormField:
        name, kind = told["name"], told["type"]
        value = "" if kind == "password" else self.values.get(name, "")
        condition = _condition(self.backend, told)
        return FormField(
            name=name,
            label=told["label"],
            kind="long" if name in LONG else kind,
            required=told.get("required", False),
            help=HELP.get(name, told.get("description", "")),
            placeholder=told.get("placeholder", ""),
            value=str(value) if kind == "select" else value,
            options=tuple((str(one["value"]), one["label"]) for one in told.get("options", ())),
            errors=tuple(self.errors.get(name, ())),
            secret=kind == "password",
            kept=name in self.kept,
            clearable=name in {*self.kept, *self.cleared} and self.model._meta.get_field(name).null,
            cleared=name in self.cleared,
            focus=name == next(iter(self.errors), None),
            shown=is_shown(condition, self.values),
            if_field=condition[0] if condition else "",
            if_values=tuple(condition[1]) if condition else (),
            limits={limit: told[limit] for limit in ("min", "max") if limit in told},
        )
