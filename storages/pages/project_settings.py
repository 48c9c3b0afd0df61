"""Creating a project and changing its title, description and label config, with a check of the config while typing."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST
from rest_framework.exceptions import ValidationError

from projects import label_config, saving
from projects.models import Project
from storages.pages.access import page
from storages.pages.form_fields import FormField

FIELDS = ("title", "description", "label_config")
TOLD = {
    "title": {"label": "Title", "required": True, "help": "3 to 50 characters."},
    "description": {"label": "Description", "kind": "long"},
    "label_config": {"label": "Labeling setup", "kind": "long", "help": "Label Studio's XML. It says which data a task needs."},
}
EXAMPLES = (  # name of a button, the config that it fills in
    ("Images", '<View>\n  <Image name="image" value="$image"/>\n  <RectangleLabels name="label" toName="image">\n'
     '    <Label value="Ship"/>\n    <Label value="Quay"/>\n  </RectangleLabels>\n</View>'),
    ("Audio", '<View>\n  <Audio name="audio" value="$audio"/>\n  <Choices name="kind" toName="audio">\n'
     '    <Choice value="Speech"/>\n    <Choice value="Music"/>\n  </Choices>\n</View>'),
    ("Video", '<View>\n  <Video name="video" value="$video"/>\n  <Choices name="kind" toName="video">\n'
     '    <Choice value="Keep"/>\n    <Choice value="Drop"/>\n  </Choices>\n</View>'),
    ("Text", '<View>\n  <Text name="text" value="$text"/>\n  <Choices name="mood" toName="text">\n'
     '    <Choice value="Happy"/>\n    <Choice value="Unhappy"/>\n  </Choices>\n</View>'),
)  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@page
def new_project(request: HttpRequest) -> HttpResponse:
    """The form; a POST creates the project and goes on to its storages."""
    if request.method != "POST":
        return _form(request, {}, {})
    entered = _entered(request)
    try:
        project = saving.create(entered, request.user)
    except ValidationError as error:
        return _form(request, entered, error.detail)
    messages.success(request, "The project was created. Now connect the storage that holds its files.")
    return redirect(f"/projects/{project.pk}/settings/storage")


@require_http_methods(["GET", "HEAD", "POST"])
@page
def settings(request: HttpRequest, project: Project) -> HttpResponse:
    """Title, description and label config of a project."""
    if request.method != "POST":
        return _form(request, {name: getattr(project, name) or "" for name in FIELDS}, {}, project)
    entered = _entered(request)
    try:
        saving.change(project, entered)
    except ValidationError as error:
        project.refresh_from_db()
        return _form(request, entered, error.detail, project)
    messages.success(request, "Saved.")
    return redirect("project-settings", project=project.pk)


@require_POST
@page
def check_config(request: HttpRequest) -> HttpResponse:
    """A fragment: what a label config needs, or what is wrong with it."""
    config = request.POST.get("label_config", "")
    try:
        label_config.check(config.strip() or label_config.EMPTY)
    except label_config.ConfigError as error:
        return render(request, "storages/parts/config_check.html", {"error": str(error)})
    keys, controls = label_config.data_keys(config), label_config.parse(config)
    return render(request, "storages/parts/config_check.html", {"keys": keys, "controls": sorted(controls)})


def _entered(request: HttpRequest) -> dict[str, str]:
    return {name: request.POST.get(name, "").replace("\r\n", "\n").strip() for name in FIELDS}


def _form(
    request: HttpRequest, entered: Mapping[str, str], errors: Mapping[str, Any], project: Project | None = None
) -> HttpResponse:
    fields = [
        FormField(name=name, value=entered.get(name, ""), errors=tuple(errors.get(name, ())), **TOLD[name]) for name in FIELDS
    ]
    context = {"fields": fields, "project": project, "section": "general", "examples": EXAMPLES}
    return render(request, "storages/project_settings.html" if project else "storages/project_new.html", context)


urlpatterns = [
    path("projects/new", new_project, name="project-new"),
    path("projects/check-config", check_config, name="config-check"),
    path("projects/<int:project>/settings", settings, name="project-settings"),
]
