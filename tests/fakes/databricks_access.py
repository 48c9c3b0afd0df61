"""Who calls the Databricks fake and what they may do: tokens, their scopes, Unity Catalog grants. Knows no files.

Source: Databricks "Unity Catalog privileges and securable objects", "API scopes"; Files API error answers on record.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.fakes.databricks_refusals import bad_token, lacks, missing_scope, unauthenticated
from tests.fakes.entra import DATABRICKS, EntraFake
from tests.fakes.wire import Request

EVERY_SCOPE = "all-apis"
METASTORE = ""  # the securable that all catalogs lie in
READING = ("READ VOLUME",)
WRITING = ("READ VOLUME", "WRITE VOLUME")  # "WRITE VOLUME" is of no use alone


@dataclass(frozen=True)
class Caller:
    """The owner of a token; ``expires`` in epoch seconds, None for never."""

    user: str
    scopes: frozenset[str]
    expires: float | None = None

    def require(self, scope: str) -> None:
        """Raises Refusal 403 if the token lacks ``scope``."""
        if not self.scopes & {scope, EVERY_SCOPE}:
            raise missing_scope(scope)


@dataclass
class Access:
    """``grants``: (user, securable in lower case) -> privileges; a grant on a catalog or schema covers what lies in it."""

    clock: Callable[[], float]
    entra: EntraFake | None = None
    tokens: dict[str, Caller] = field(default_factory=dict, repr=False)
    grants: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))

    def caller_of(self, request: Request) -> Caller:
        """Who sent the Bearer token. Raises Refusal 401 without one, 403 for an unknown or expired one."""
        scheme, _, token = (request.header("authorization") or "").partition(" ")
        if scheme != "Bearer" or not token:
            raise unauthenticated()
        caller = self.tokens.get(token)
        if caller is None and self.entra is not None and (claims := self.entra.verify(token, DATABRICKS)):
            caller = Caller(claims["appid"], frozenset({EVERY_SCOPE}))
        if caller is None or (caller.expires is not None and caller.expires <= self.clock()):
            raise bad_token()
        return caller

    def grant(self, user: str, securable: str, privileges: Iterable[str]) -> None:
        self.grants[user, securable.lower()] |= set(privileges)

    def revoke(self, user: str, securable: str, privileges: Iterable[str]) -> None:
        self.grants[user, securable.lower()] -= set(privileges)

    def holds(self, user: str, privilege: str, securable: str) -> bool:
        """Whether ``user`` was granted the privilege on the securable or on anything it lies in."""
        parts = securable.split(".")
        around = [METASTORE, *(".".join(parts[:count]) for count in range(1, len(parts) + 1))]
        return any({privilege, "ALL PRIVILEGES"} & self.grants.get((user, name), set()) for name in around)

    def check_use(self, caller: Caller, volume: str) -> None:
        """Raises Refusal 403 unless the caller may look into the catalog and the schema of the volume."""
        catalog, schema, _ = volume.split(".", 2)
        for privilege, securable in (("USE CATALOG", catalog), ("USE SCHEMA", f"{catalog}.{schema}")):
            if not self.holds(caller.user, privilege, securable):
                raise lacks(privilege, securable)

    def check_volume(self, caller: Caller, volume: str, privileges: Iterable[str]) -> None:
        """Raises Refusal 403 for the first privilege on the volume that the caller lacks."""
        for privilege in privileges:
            if not self.holds(caller.user, privilege, volume):
                raise lacks(privilege, volume)
