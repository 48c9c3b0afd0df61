"""Somebody who annotates over HTTP, and remembers what the server has confirmed: that must never be lost.

The lead time of an annotation is the number of the request that saved it.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tasks.models import Annotation
from tests.faults.exports.port import Port, Target
from tests.faults.exports.web import Answer

RESULT = [{"from_name": "kind", "to_name": "image", "type": "choices", "value": {"choices": ["cat"]}}]
GONE = None


@dataclass
class Editor:
    """``known``: annotation → the lead times that it may have; GONE among them: it may be deleted."""

    port: Port
    target: Target
    rng: random.Random
    known: dict[int, set[float | None]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    saves: int = 0
    slowest: float = 0.0  # seconds of the slowest answer

    def act(self) -> None:
        """One random change."""
        acts: list[tuple[int, Callable[[], None]]] = [
            (30, self.create), (20, self.edit), (12, self.delete), (8, self.create_many), (6, self.delete_many),
            (5, self.bring), (4, self.drop_task),
        ]  # fmt: skip
        self.rng.choices([act for _, act in acts], [weight for weight, _ in acts])[0]()

    def create(self) -> None:
        answer, number = self._save("POST", f"/api/tasks/{self._task()}/annotations/")
        if answer:
            self.known[answer.body["id"]] = {number}

    def edit(self) -> None:
        if (pk := self._some()) is None:
            return
        answer, number = self._save("PATCH", f"/api/annotations/{pk}/")
        self.known[pk] = {number} if answer else self.known[pk] | {number}

    def delete(self) -> None:
        if (pk := self._some()) is not None:
            self._forget([pk], self._send("DELETE", f"/api/annotations/{pk}/"))

    def create_many(self) -> None:
        tasks = self.rng.sample(self.target.tasks, min(3, len(self.target.tasks)))
        answer, number = self._save("POST", "/api/annotations/bulk/", tasks=tasks)
        if answer:
            self.known |= {row["id"]: {number} for row in answer.body}

    def delete_many(self) -> None:
        pks = self.rng.sample(sorted(self.known), min(3, len(self.known)))
        if pks:
            body = {"project": self.target.project, "ids": pks}
            self._forget(pks, self._send("POST", "/api/annotations/bulk-delete/", body))

    def bring(self) -> None:
        """Imports tasks that are annotated already."""
        self.saves += 1
        number = float(self.saves)
        annotations = [{"result": RESULT, "lead_time": number}] * 2
        rows = [{"data": {"image": f"{number}-{row}.png"}, "annotations": annotations} for row in range(2)]
        answer = self._send("POST", f"/api/projects/{self.target.project}/import?return_task_ids=true", rows)
        if answer:
            self.target.tasks += answer.body["task_ids"]
            made = Annotation.objects.filter(task_id__in=answer.body["task_ids"]).values_list("pk", flat=True)
            self.known |= {pk: {number} for pk in made}
            if len(made) != 4:
                self.wrong.append(f"import {number} brought {len(made)} annotations, not 4")

    def drop_task(self) -> None:
        if len(self.target.tasks) < 3:
            return
        task = self._task()
        pks = list(Annotation.objects.filter(task_id=task).values_list("pk", flat=True))
        answer = self._send("DELETE", f"/api/tasks/{task}/")
        self.target.tasks.remove(task)  # maybe it is still there: nobody touches it any more
        self._forget([pk for pk in pks if pk in self.known], answer)

    def drop_project(self) -> None:
        """Until the server says that it is gone."""
        path, answer = f"/api/projects/{self.target.project}/", None
        while answer is None or answer.status not in (204, 404):
            answer = self.port.web.send("DELETE", path)
        self.known = {pk: {GONE} for pk in self.known}

    def _task(self) -> int:
        return self.rng.choice(self.target.tasks)

    def _some(self) -> int | None:
        left = sorted(pk for pk, times in self.known.items() if times != {GONE})
        return self.rng.choice(left) if left else None

    def _forget(self, pks: list[int], answer: Answer | None) -> None:
        for pk in pks:
            self.known[pk] = {GONE} if answer else self.known[pk] | {GONE}

    def _save(self, method: str, path: str, **more: Any) -> tuple[Answer | None, float]:
        self.saves += 1
        number = float(self.saves)
        return self._send(method, path, {"result": RESULT, "lead_time": number, **more}), number

    def _send(self, method: str, path: str, body: Any = None) -> Answer | None:
        """The answer if it confirms what was asked, None if that is not certain."""
        answer = self.port.web.send(method, path, body)
        if answer is None or answer.status == 404:  # of what was deleted already
            return None
        if not 200 <= answer.status < 300:
            self.wrong.append(f"{method} {path} answered {answer.status}: {str(answer.body)[:300]}")
            return None
        self.slowest = max(self.slowest, answer.seconds)
        return answer
