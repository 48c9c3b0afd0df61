"""What an exported object is called: key templates, read and filled in. Knows no database, no client and no other target.

A name is made of what never changes about its subject, so an object that is written again keeps it.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from django.conf import settings

from storages.base import ExportStorage
from storages.errors import ConfigInvalid
from storages.links import Form
from storages.sources import LONGEST as LONGEST_SOURCE
from storages.sources import LONGEST_PART as LONGEST_SOURCE_PART
from storages.sources import UNSTORABLE, source_name

# bytes of a key (Amazon S3 and Google Cloud Storage: 1,024) and of one of its parts (NAME_MAX of Linux, limits.h)
LONGEST, LONGEST_PART = 1024, 255
LENGTHS = {"project_id": 19, "task_id": 19, "annotation_id": 19, "date": 10, "storage_filename": LONGEST_SOURCE}
TOKEN = re.compile(r"(?P<brace>\{\{|\}\})|\{(?P<field>[^{}]*)\}|(?P<stray>[{}])|(?P<text>[^{}]+)")


class Subject(NamedTuple):
    """What an exported object is about. ``created_at``: of the annotation; in task form, of the task (aware).

    ``source_key``: key of the import object that the task came from, "" if none, below ``source_root``; ``source_row`` and
    ``source_group`` tell the row inside it, 0 for a whole object.
    """

    project_id: int
    task_id: int
    annotation_id: int | None
    created_at: datetime
    source_key: str = ""
    source_root: str = ""
    source_row: int = 0
    source_group: int = 0


class Piece(NamedTuple):
    """Literal text, or the name of a placeholder."""

    text: str
    is_field: bool


class Template(NamedTuple):
    """A key template that was found good."""

    pieces: tuple[Piece, ...]

    @property
    def fields(self) -> list[str]:
        return [piece.text for piece in self.pieces if piece.is_field]

    def name(self, subject: Subject) -> str:
        """The key of ``subject`` below the prefix."""
        return "".join(_value(piece.text, subject) if piece.is_field else piece.text for piece in self.pieces)


def form_of(storage: ExportStorage) -> Form:
    """What one object of ``storage`` holds: its own choice, else the server's (FUTURE_SAVE_TASK_TO_STORAGE)."""
    return Form(storage.object_form or (Form.TASK if settings.FUTURE_SAVE_TASK_TO_STORAGE else Form.ANNOTATION))


def template_of(storage: ExportStorage) -> Template:
    """The template of ``storage``, else Label Studio's names (behaviour.md §2.1). Raises ConfigInvalid naming the field."""
    if storage.key_template:
        return parse(storage.key_template, form_of(storage))
    if form_of(storage) is Form.ANNOTATION:
        return Template((Piece("annotation_id", True),))
    extension = (Piece(".json", False),) if settings.FUTURE_SAVE_TASK_TO_STORAGE_JSON_EXT else ()
    return Template((Piece("task_id", True), *extension))


def render(storage: ExportStorage, subjects: Iterable[Subject]) -> list[str]:
    """The keys of ``subjects`` below the prefix, in their order; no query. Raises ConfigInvalid."""
    template = template_of(storage)
    return [template.name(subject) for subject in subjects]


def check(storage: ExportStorage) -> None:
    """Whether names can be made. Raises ConfigInvalid naming ``object_form`` or ``key_template``, or ``prefix``."""
    if storage.object_form not in ExportStorage.ObjectForm.values:
        raise ConfigInvalid('must be "annotation", "task", or empty: as the server is set', field="object_form")
    pieces = template_of(storage).pieces
    if storage.key_template:
        longest = sum(LENGTHS[one.text] if one.is_field else len(one.text.encode()) for one in pieces)
        if (size := len(storage.root.encode()) + longest) > LONGEST:
            raise _refusal(f"names could have {size} bytes with their prefix, more than {LONGEST}; shorten the one or the other")


def parse(text: str, form: Form) -> Template:
    """The template that ``text`` is. Raises ConfigInvalid saying what is wrong with it."""
    pieces: list[Piece] = []
    for found in TOKEN.finditer(text):
        if found["stray"]:
            raise _refusal(f"a {found['stray']} is left alone; write {{{{ or }}}} for a brace of the name")
        if found["field"] is not None:
            if found["field"] not in LENGTHS:
                known = " ".join(f"{{{name}}}" for name in LENGTHS)
                raise _refusal(f"{found[0]!r} is no placeholder; there are {known}, and {{{{ and }}}} for braces")
            pieces.append(Piece(found["field"], True))
        else:
            pieces.append(Piece(found["text"] or found["brace"][0], False))
    template = Template(tuple(pieces))
    _check_path(template)
    _check_fields(template, form)
    _check_width(template)
    return template


def _check_path(template: Template) -> None:
    """Refuses what leads out of the prefix, or what some store cannot hold."""
    path = "".join("x" if piece.is_field else piece.text for piece in template.pieces)
    if "\\" in path or UNSTORABLE.search(path):
        raise _refusal("a name cannot have a backslash or a control character; / makes folders")
    parts = path.split("/")
    if parts[0] == "snapshots":
        raise _refusal("the folder snapshots/ is kept for snapshots; use another one")
    if "" in parts:
        raise _refusal("a name cannot begin or end with / or have two in a row; its folders lie below the prefix")
    if any(part.endswith((".", " ")) for part in parts):
        raise _refusal("a part of a name cannot be . or .. and cannot end with a dot or a space")


def _check_width(template: Template) -> None:
    """Refuses what a file system cannot hold."""
    widths = {name: "x" * min(length, LONGEST_SOURCE_PART) for name, length in LENGTHS.items()}
    widest = "".join(widths[piece.text] if piece.is_field else piece.text for piece in template.pieces)
    if any(len(part.encode()) > LONGEST_PART for part in widest.split("/")):
        raise _refusal(f"a part of a name could have more than {LONGEST_PART} bytes; shorten it or divide it with /")


def _check_fields(template: Template, form: Form) -> None:
    """Refuses what gives two subjects one name, whatever they are called."""
    fields, before = template.fields, ""
    for piece in template.pieces:
        if piece.is_field and before == "field":
            raise _refusal("put something that is no digit between two placeholders, such as - or /")
        if piece.is_field and before == "dollar":
            raise _refusal("leave out the $: ${project_id} is for prefixes, here it is {project_id}")
        if piece.is_field or not (before == "field" and piece.text.isdigit()):
            before = "field" if piece.is_field else "dollar" if piece.text.endswith("$") else "text"
    if fields.count("storage_filename") > 1:
        raise _refusal("{storage_filename} may be there once")
    if form is Form.ANNOTATION and "annotation_id" not in fields:
        raise _refusal("with one object per annotation the name needs {annotation_id}, or they would overwrite each other")
    if form is Form.TASK and "annotation_id" in fields:
        raise _refusal('{annotation_id} needs one object per annotation; set object_form to "annotation" or use {task_id}')
    if form is Form.TASK and not {"task_id", "storage_filename"} & set(fields):
        raise _refusal("with one object per task the name needs {task_id} or {storage_filename}")


def _value(field: str, subject: Subject) -> str:
    if field == "storage_filename":
        name = source_name(subject.source_key, subject.source_root, subject.source_group, subject.source_row)
        return name or f"task-{subject.task_id}"
    if field == "date":
        return subject.created_at.astimezone(UTC).date().isoformat()
    return str(getattr(subject, field))


def _refusal(message: str) -> ConfigInvalid:
    return ConfigInvalid(message, field="key_template")
