"""What a first run shows: three small projects, each with a local storage that is already syncing."""

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction

from config.demo_files import write_files
from projects.models import Project
from storages.backends import BACKENDS
from storages.jobs import start_import
from users.models import User


@dataclass(frozen=True)
class Demo:
    """One project and the folder of files that becomes its tasks."""

    title: str
    folder: str
    pattern: str
    label_config: str
    files: bool  # one task per file; else the files hold rows


DEMOS = (
    Demo(
        "Demo: images",
        "images",
        r".*\.png$",
        '<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">'
        '<Label value="Sun or moon"/><Label value="Sky"/></RectangleLabels></View>',
        files=True,
    ),
    Demo(
        "Demo: sounds",
        "sounds",
        r".*\.wav$",
        '<View><Audio name="audio" value="$audio"/><Choices name="kind" toName="audio">'
        '<Choice value="Music"/><Choice value="Speech"/></Choices></View>',
        files=True,
    ),
    Demo(
        "Demo: texts",
        "texts",
        r".*\.(jsonl|parquet)$",
        '<View><Text name="text" value="$text"/><Choices name="mood" toName="text">'
        '<Choice value="Happy"/><Choice value="Unhappy"/><Choice value="Neither"/></Choices></View>',
        files=False,
    ),
)


def create_demo(user: User) -> list[Project]:
    """The demo's projects, owned by ``user``; nothing if any project exists.

    Needs LOCAL_FILES_DOCUMENT_ROOT; writes its files to the folder ``demo`` there.
    """
    if Project.objects.exists():
        return []
    root = Path(settings.LOCAL_FILES_DOCUMENT_ROOT) / "demo"
    write_files(root)
    with transaction.atomic():
        made = [_create(demo, root, user) for demo in DEMOS]
    for _, storage in made:
        start_import(storage, user=user, trigger="demo")
    return [project for project, _ in made]


def _create(demo: Demo, root: Path, user: User) -> tuple[Project, object]:
    project = Project.objects.create(
        title=demo.title, label_config=demo.label_config, organization=user.active_organization, created_by=user
    )
    storage = BACKENDS["localfiles"].import_model.objects.create(
        project=project, title=demo.folder, path=str(root / demo.folder), regex_filter=demo.pattern, use_blob_urls=demo.files
    )
    return project, storage
