"""Connects what projects ask for with what tasks do about it."""

from typing import Any

from django.apps import AppConfig


class TasksConfig(AppConfig):
    name = "tasks"

    def ready(self) -> None:
        from projects import signals

        signals.delete_requested.connect(_delete_project, dispatch_uid="tasks")
        signals.overlap_changed.connect(_set_overlap, dispatch_uid="tasks")


def _delete_project(sender: Any, **message: Any) -> None:
    from tasks.deletion import delete_project

    delete_project(message["project"])


def _set_overlap(sender: Any, **message: Any) -> None:
    from tasks.counters import set_overlap

    set_overlap(message["project_id"])
