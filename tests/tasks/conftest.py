"""Tasks to work on, and an ear for the signals of the tasks app."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction
from django.dispatch import Signal

from projects.models import Project
from tasks import signals
from tasks.drafts import AnnotationDraft, PredictionDraft, TaskDraft
from tasks.services import create_tasks

RESULT = [{"from_name": "kind", "to_name": "image", "type": "choices", "value": {"choices": ["cat"]}}]


def save(project: Project, drafts: list[TaskDraft]) -> list[int]:
    with transaction.atomic():
        return create_tasks(project, drafts)


@pytest.fixture
def make_tasks(project) -> Callable[..., list[int]]:
    """``make_tasks(3, annotations=1, predictions=2)``: the ids of new tasks of Alice's project."""

    def make(count: int, *, annotations: int = 0, predictions: int = 0, author: Any = None, target: Any = None) -> list[int]:
        drafts = [
            TaskDraft(
                {"image": f"https://ships.example/{number}.png"},
                annotations=[AnnotationDraft(RESULT, completed_by=author and author.pk, lead_time=2.5)] * annotations,
                predictions=[PredictionDraft(RESULT, 0.5, "v1")] * predictions,
            )
            for number in range(count)
        ]
        return save(target or project, drafts)

    return make


@pytest.fixture
def heard() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """What the signals said, in order: ``(name, message)``."""
    messages: list[tuple[str, dict[str, Any]]] = []
    names = ("annotations_changed", "tasks_deleting", "project_deleting", "tasks_presenting")
    receivers = {name: _listener(name, messages) for name in names}
    for name, receiver in receivers.items():
        getattr(signals, name).connect(receiver)
    yield messages
    for name, receiver in receivers.items():
        getattr(signals, name).disconnect(receiver)


def _listener(name: str, messages: list) -> Callable[..., None]:
    def receive(sender: Any, signal: Signal, **message: Any) -> None:
        messages.append((name, message))

    return receive
