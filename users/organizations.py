"""Who belongs to which organization; the only place that writes memberships. Knows nothing of tokens or HTTP."""

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from users.models import Organization, OrganizationMember, User
from users.prepared import Prepared


def create_organization(title: str, owner: User) -> Organization:
    """A new organization with ``owner`` as its first member, who works in it from now on."""
    with transaction.atomic():
        organization = Organization.objects.create(title=title, created_by=owner)
        add_member(owner, organization)
        owner.active_organization = organization
        owner.save(update_fields=["active_organization"])
    return organization


def add_member(user: User, organization: Organization) -> None:
    """Makes ``user`` an active member (again, if revoked), working here unless another organization has that right."""
    with transaction.atomic():
        OrganizationMember.objects.update_or_create(user=user, organization=organization, defaults={"deleted_at": None})
        if not is_active_member(user):
            user.active_organization = organization
            user.save(update_fields=["active_organization"])


def revoke_member(user: User, organization: Organization) -> bool:
    """Ends the membership; False if there was no active one.

    Someone who also belongs elsewhere goes on working there; everyone else is refused on every route.
    """
    with transaction.atomic():
        active = OrganizationMember.objects.filter(user=user, deleted_at__isnull=True)
        if not active.filter(organization=organization).update(deleted_at=timezone.now()):
            return False
        if elsewhere := active.order_by("pk").values_list("organization_id", flat=True).first():
            User.objects.filter(pk=user.pk, active_organization=organization).update(active_organization=elsewhere)
    return True


def accounts() -> QuerySet[User]:
    """Users with ``has_active_membership`` in their active organization."""
    membership = OrganizationMember.objects.filter(
        user=OuterRef("pk"), organization=OuterRef("active_organization"), deleted_at__isnull=True
    )
    return User.objects.annotate(has_active_membership=Exists(membership))


def account(pk: int) -> User | None:
    """The user with the active organization and ``has_active_membership``, in one query."""
    return _read(_BY_ID.one(pk))


def account_of_key(digest: str) -> User | None:
    """The same for the owner of a legacy token."""
    return _read(_BY_KEY.one(digest))


_USER = [field.attname for field in User._meta.concrete_fields]
_ORGANIZATION = [field.attname for field in Organization._meta.concrete_fields]
_COLUMNS = [*_USER, *(f"active_organization__{name}" for name in _ORGANIZATION), "has_active_membership"]
_BY_ID = Prepared(lambda pk: accounts().filter(pk=pk).values_list(*_COLUMNS), int)
_BY_KEY = Prepared(lambda digest: accounts().filter(legacy_token__digest=digest).values_list(*_COLUMNS), str)


def _read(row: tuple | None) -> User | None:
    if row is None:
        return None
    user = User.from_db(None, _USER, row[: len(_USER)])
    user.has_active_membership = row[-1]
    if user.active_organization_id is not None:
        user.active_organization = Organization.from_db(None, _ORGANIZATION, row[len(_USER) : -1])
    return user


def is_active_member(user: User) -> bool:
    """Whether ``user`` may work in the active organization; no query for a user that came from ``accounts``."""
    known = getattr(user, "has_active_membership", None)
    if known is not None:
        return known
    return OrganizationMember.objects.filter(
        user=user, organization=F("user__active_organization"), deleted_at__isnull=True
    ).exists()


def members(organization_id: int) -> QuerySet[User]:
    """The active members, oldest account first."""
    return User.objects.filter(memberships__organization_id=organization_id, memberships__deleted_at__isnull=True).order_by("pk")
