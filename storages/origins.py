"""Looks up in sets what exported objects are about, as far as their names say it. Writes nothing."""

from collections.abc import Collection
from datetime import UTC, datetime

from storages.base import ExportStorage, ImportStorage, child_relations
from storages.errors import ConfigInvalid
from storages.fields import secret_names
from storages.links import Form, ImportLink
from storages.names import Subject, form_of, template_of
from tasks.models import Annotation, Task

EPOCH = datetime.fromtimestamp(0, UTC)


def names(storage: ExportStorage, subjects: Collection[int]) -> dict[int, str]:
    """Keys below the prefix for annotation ids (task ids in task form); those whose row is gone are left out.

    Label Studio's names take no query, others one, and ``{storage_filename}`` two more and one for each source.
    Raises ConfigInvalid.
    """
    template, form = template_of(storage), form_of(storage)
    if set(template.fields) <= {f"{form.value}_id"}:  # the id is all there is to know
        return {pk: template.name(Subject(0, pk, pk, EPOCH)) for pk in subjects}
    about = lookup(form, subjects, sources="storage_filename" in template.fields)
    return {pk: template.name(subject) for pk, subject in about.items()}


def lookup(form: Form, subjects: Collection[int], *, sources: bool = True) -> dict[int, Subject]:
    """What there is to say of annotations (tasks in task form); without ``sources`` their import objects are left out."""
    model, task = (Task, "id") if form is Form.TASK else (Annotation, "task_id")
    rows = model.objects.filter(id__in=subjects).order_by().values_list("id", "project_id", task, "created_at")
    found = list(rows)
    origins = _origins({task_id for _, _, task_id, _ in found}) if sources else {}
    return {
        pk: Subject(project, task_id, None if form is Form.TASK else pk, created, *origins.get(task_id, ()))
        for pk, project, task_id, created in found
    }


def _origins(tasks: Collection[int]) -> dict[int, tuple[str, str, int, int]]:
    """The key, the root, the row and the row group of the import object of each task that has one; the oldest counts."""
    links = ImportLink.objects.filter(task_id__in=tasks).order_by("-id")
    found = list(links.values_list("task_id", "storage_id", "key", "row_index", "row_group"))
    roots = {pk: _root(pk) for pk in {row[1] for row in found}}
    return {task: (key, roots[storage], row, group) for task, storage, key, row, group in found}


def _root(pk: int) -> str:
    """The folder of a source, read without its secrets: a name must not depend on whether those can be read."""
    kind = ImportStorage.objects.values_list("type", flat=True).get(pk=pk)
    child = next(one.related_model for one in child_relations(ImportStorage) if one.related_model.backend_name == kind)
    try:
        return child.objects.defer(*secret_names(child)).get(pk=pk).root
    except ConfigInvalid:  # such a prefix was stored before it was refused, and nothing was imported from there
        return ""
