"""What happens in a round besides saving: which form, what goes away, what is asked for, and the parts to kill in."""

from typing import NamedTuple


class Scene(NamedTuple):
    """``away``: the target refuses everything for a while; ``queue``: the queue is lost with all it holds."""

    areas: tuple[str, ...]
    form: str = "annotation"
    may_delete: bool = True
    away: bool = False
    queue: bool = False
    syncs: bool = False
    closing: bool = False  # the project is deleted in the end
    renamed: bool = False  # the target's key template changes now and then; the names are compared after a sync


SAVING = ("save", "save", "deliver", "deliver", "deliver", "write", "written", "delete", "any web", "any worker")
SCENES = {
    "annotations": Scene(SAVING),
    "tasks": Scene(SAVING, form="task"),
    "no deletions": Scene(("save", "deliver", "deliver", "write", "written", "any worker"), may_delete=False),
    "target away": Scene(("save", "deliver", "postpone", "postpone", "any web", "any worker"), form="task", away=True),
    "queue lost": Scene(("save", "deliver", "write", "any web", "any worker"), queue=True),
    "syncs": Scene(("run", "run", "deliver", "write", "written", "any worker"), syncs=True),
    "renamed": Scene(("run", "deliver", "deliver", "write", "written", "delete"), syncs=True, renamed=True),
    "project deleted": Scene(("close", "close", "delete"), closing=True),
    "all at once": Scene(SAVING + ("postpone", "run"), form="task", away=True, queue=True, syncs=True),
    "closed while away": Scene(("close", "postpone", "delete"), form="task", away=True, closing=True),
}
