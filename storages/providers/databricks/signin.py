"""How a Databricks workspace is signed in to: a personal access token, or a service principal by OAuth."""

from urllib.parse import urlencode

from storages import errors
from storages.providers import tokens
from storages.providers.databricks.client import DatabricksClient
from storages.providers.databricks.protocol import parse


class PersonalToken:
    """A personal access token: sent as it is."""

    field = "token"
    workspace: DatabricksClient | None = None

    def __init__(self, text: str) -> None:
        self._text = text

    def token(self) -> str:
        return self._text

    def renew(self) -> bool:
        return False


class OAuth:
    """A Databricks service principal: client credentials at the workspace's own token endpoint, good for an hour.

    https://docs.databricks.com/en/dev-tools/auth/oauth-m2m.html "Manually generate a workspace-level access token"
    """

    field = "client_secret"
    workspace: DatabricksClient | None = None  # over its connections, and so within its limits and TLS setting, tokens come

    def __init__(self, host: str, client_id: str, secret: str, scope: str) -> None:
        self.url, self._client_id, self._secret, self.scope = f"{host}/oidc/v1/token", client_id, secret, scope
        self._identity = (self.url, client_id, secret, scope)

    def token(self) -> str:
        return tokens.token(self._identity, self._fetch)

    def renew(self) -> bool:
        return tokens.forget(self._identity)

    def _fetch(self) -> tuple[str, float]:
        from urllib3.util import make_headers

        headers = make_headers(basic_auth=f"{self._client_id}:{self._secret}")
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        body = urlencode({"grant_type": "client_credentials", "scope": self.scope}).encode()
        status, headers, body = self.workspace.exchange("POST", self.url, headers, body)
        answer = parse(body) or {}
        if status != 200:
            raise self._refusal(answer.get("error"), self.workspace.failure(status, headers, body, "sign in", ""))
        if not isinstance(answer.get("access_token"), str):
            raise self.workspace.misplaced(status)
        return answer["access_token"], tokens.lifetime(answer.get("expires_in"))

    def _refusal(self, code: object, error: errors.StorageError) -> errors.StorageError:
        """Our error for an OAuth error (RFC 6749 §5.2), else ``error``, with the column at fault."""
        if code == "invalid_scope":
            message = f"the service principal's secret may not be used for the scope {self.scope}; see DATABRICKS_OAUTH_SCOPE"
            return errors.ConfigInvalid(message, field="client_secret")
        if code in ("invalid_client", "unauthorized_client", "invalid_grant") or isinstance(
            error, errors.BadCredentials | errors.AccessDenied
        ):
            return errors.BadCredentials("Databricks rejected the client id and secret", field="client_secret")
        return self.workspace.misplaced(404) if isinstance(error, errors.NotFound) else error
