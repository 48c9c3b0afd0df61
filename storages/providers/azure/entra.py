"""Microsoft Entra ID: tokens of service principals, by secret or by a federated (workload identity) token; over msal.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

import re
from typing import Any

from django.conf import settings

from storages import egress, errors
from storages.providers import tokens
from storages.providers.failures import reached, refuse_busy

PUBLIC = "https://login.microsoftonline.com"
# a directory id or one of its domains; anything else could change the path of the token endpoint
TENANT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.\-]{0,253}[A-Za-z0-9])?")
# OAuth error codes of the token endpoint: RFC 6749 §5.2, and
# https://learn.microsoft.com/entra/identity-platform/reference-error-codes
KINDS: dict[str, tuple[type[errors.StorageError], str | None, str]] = {
    "invalid_client": (errors.BadCredentials, "client_secret", "Entra rejected the client secret: it is wrong or has expired"),
    "unauthorized_client": (errors.BadCredentials, "client_id", "Entra knows no application with this client id in this tenant"),
    "invalid_grant": (errors.BadCredentials, "client_id", "Entra does not trust this identity: check its federated credential"),
    "invalid_scope": (errors.ConfigInvalid, None, "Entra does not know the resource that a token was asked for"),
    "invalid_resource": (errors.ConfigInvalid, "tenant_id", "this tenant does not have the resource that a token was asked for"),
    "temporarily_unavailable": (errors.Throttled, None, "Entra asks to slow down; try again later"),
}


class Principal:
    """A service principal that obtains tokens for ``scope``; ``assertion`` reads its federated token where it has no secret."""

    field = "client_secret"
    workspace: Any = None  # not needed: Entra is reached over connections of its own

    def __init__(self, tenant: str, client_id: str, scope: str, *, secret: str = "", authority: str = "", assertion: Any = None):
        if not TENANT.fullmatch(tenant):
            raise errors.ConfigInvalid("must be the directory id or a domain of the tenant", field="tenant_id")
        self.authority = f"{authority or settings.AZURE_AUTHORITY_HOST}/{tenant}"
        self.client_id, self.scope, self._secret, self._assertion = client_id, scope, secret, assertion
        self._identity = ("entra", self.authority, client_id, scope, secret)

    def token(self) -> str:
        """A bearer token. Raises BadCredentials, ConfigInvalid, Unavailable."""
        return tokens.token(self._identity, self._fetch)

    def renew(self) -> bool:
        """Drops a rejected token; True if another one may be accepted."""
        return tokens.forget(self._identity)

    def _fetch(self) -> tuple[str, float]:
        import msal

        credential = self._secret or {"client_assertion": self._assertion()}
        connections = egress.session()
        connections.hooks["response"] = [_check_status]
        try:
            # a new application each time: msal remembers refusals for a minute, and its cache ignores the secret
            with reached(self.authority):
                app = msal.ConfidentialClientApplication(
                    self.client_id,
                    client_credential=credential,
                    authority=self.authority,
                    http_client=connections,
                    instance_discovery=False,
                )
                answer = app.acquire_token_for_client([self.scope])
        except (ValueError, KeyError, AttributeError, TypeError) as error:  # how msal meets a document that is none of Entra's
            raise errors.Unavailable(f"{self.authority} does not answer as Entra; check AZURE_AUTHORITY_HOST") from error
        if not isinstance(answer.get("access_token"), str):
            raise _refusal(answer)
        return answer["access_token"], tokens.lifetime(answer.get("expires_in"))


def _check_status(response: Any, **options: object) -> None:
    """Raises for statuses that msal does not pass on: a busy or broken Entra, and a tenant without a discovery document."""
    refuse_busy(response, "Entra")
    if response.status_code >= 400 and response.request.method == "GET":
        raise errors.ConfigInvalid("Entra knows no such tenant; check the directory id", field="tenant_id")


def _refusal(answer: dict[str, Any]) -> errors.StorageError:
    """Our error for an OAuth error; of Entra's own text only the number is told."""
    kind, field, text = KINDS.get(str(answer.get("error")), (errors.Unavailable, None, "Entra could not issue a token"))
    numbers = [f"AADSTS{code}" for code in answer.get("error_codes") or [] if isinstance(code, int)]
    message = f"{text} ({', '.join(numbers)})" if numbers else text
    return kind(message, field=field)
