"""Finds the user an imported annotation names, among the members of one organization."""

from functools import cached_property
from typing import Any

from users.models import OrganizationMember


class Authors:
    """Resolves ``completed_by``; reads the members once, at the first annotation that names somebody.

    People who left count too: their work stays theirs.
    """

    def __init__(self, organization_id: int) -> None:
        self.organization_id = organization_id

    @cached_property
    def _by_email(self) -> dict[str, int]:
        members = OrganizationMember.objects.filter(organization_id=self.organization_id)
        return {email.lower(): user_id for email, user_id in members.values_list("user__email", "user_id")}

    @cached_property
    def _ids(self) -> set[int]:
        return set(self._by_email.values())

    def resolve(self, named: Any) -> int | None:
        """The user id behind an id, an e-mail address, or an object with ``email`` or ``id``; None for null.

        Raises LookupError with a sentence that names whom it did not find.
        """
        if named is None:
            return None
        if type(named) is dict:
            named = named.get("email") or named.get("id")
        if type(named) is str and named.lower() in self._by_email:
            return self._by_email[named.lower()]
        if type(named) is int and named in self._ids:
            return named
        if type(named) not in (str, int):
            raise LookupError("give a user id, an e-mail address, or an object with email or id")
        raise LookupError(f"{str(named)[:100]!r} is no member of the project's organization")
