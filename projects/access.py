"""Which projects a user may see: those of the active organization, whatever the verb. Others do not exist for them."""

from django.db.models import QuerySet
from rest_framework.exceptions import NotFound

from projects.models import Project
from users.models import User

MAX_ID = 2**63 - 1  # a signed 64-bit key; PostgreSQL and SQLite refuse larger numbers


def visible_projects(user: User) -> QuerySet[Project]:
    """The projects of the user's active organization; none for a user without one."""
    if user.active_organization_id is None:
        return Project.objects.none()
    return projects_of(user.active_organization_id)


def projects_of(organization_id: int) -> QuerySet[Project]:
    """What the members of an organization see while they work there."""
    return Project.objects.filter(organization_id=organization_id)


def get_project(user: User, pk: int | str | None) -> Project:
    """The visible project ``pk``. Raises NotFound (404), also for text that is no number."""
    project = visible_projects(user).filter(pk=key_of(pk)).select_related("created_by").first()
    if project is None:
        raise NotFound("No Project matches the given query.")
    return project


def key_of(pk: int | str | None) -> int:
    """``pk`` as a primary key; 0, which no row has, for anything that cannot be one."""
    text = str(pk)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= MAX_ID else 0
