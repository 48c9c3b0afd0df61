"""A person at the wizard: a signed-in browser that fills in steps and reads pages."""

import re
from typing import Any

from django.test import Client

from projects.models import Project
from storages.drafts import StorageDraft
from users.models import User

STORAGES = "/projects/{}/settings/storage"


class Person:
    """Forms are posted as a browser does; redirects are not followed."""

    def __init__(self, user: User | None, project: Project) -> None:
        self.client, self.home = Client(), STORAGES.format(project.pk)
        if user is not None:
            self.client.force_login(user)
        self.draft = ""

    def begin(self, type: str, side: str = "source") -> "Person":
        answer = self.client.post(f"{self.home}/{side}/new", {"type": type})
        assert answer.status_code == 302, answer.content
        self.draft = answer["Location"].removesuffix("/connection")
        return self

    def edit(self, type: str, pk: int, side: str = "source") -> "Person":
        answer = self.client.get(f"{self.home}/{side}/{type}/{pk}/edit")
        assert answer.status_code == 302, answer.content
        self.draft = answer["Location"].removesuffix("/connection")
        return self

    def get(self, step: str) -> Any:
        return self.client.get(f"{self.draft}/{step}")

    def post(self, step: str, **fields: Any) -> Any:
        return self.client.post(f"{self.draft}/{step}", fields)

    def page(self, step: str) -> str:
        answer = self.get(step)
        assert answer.status_code == 200, answer
        return answer.content.decode()

    @property
    def stored(self) -> StorageDraft:
        return StorageDraft.objects.get(pk=self.draft.rsplit("/", 1)[1])


def error_of(page: str, field: str) -> str:
    """The text beside a field, "" if there is none."""
    found = re.search(rf'id="error-{field}"[^>]*>.*?<span>(.*?)</span>', page, re.DOTALL)
    return found[1] if found else ""
