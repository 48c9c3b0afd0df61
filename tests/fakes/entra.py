"""Microsoft Entra ID for tests: discovery and the client-credentials token endpoint of one tenant, over TLS.

Knows nothing of Quayside. Sources: Microsoft identity platform "OAuth 2.0 client credentials flow", "AADSTS error codes".
"""

import hmac
import json
import secrets
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import jwt

from tests.environment import tls_directory
from tests.fakes.faults import Failure, Faults
from tests.fakes.tls import server_context
from tests.fakes.wire import Request, Response, Server

STORAGE = "https://storage.azure.com"
DATABRICKS = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"  # Azure Databricks' application, the same in every tenant and cloud
TENANT = "5f3c1e52-0000-4000-8000-7e4a17000001"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 section 2.2
BACKDATED = 300  # seconds between nbf and the moment of issue, as Entra allows for clocks that lag


class Logged(NamedTuple):
    """One request that arrived; ``scope`` as asked for, status 0 if the connection was dropped."""

    method: str
    path: str
    query: str
    status: int
    scope: str | None


class Denial(Exception):
    """Entra says no: HTTP status, OAuth ``error``, AADSTS number, text."""

    def __init__(self, status: int, error: str, number: int, text: str) -> None:
        super().__init__(f"AADSTS{number}: {text}")
        self.status, self.error, self.number = status, error, number


class EntraFake(Faults):
    """One tenant with its applications; stop it with ``close`` or use it as a context manager.

    ``clients``: client id -> secret. ``assertions``: client id -> the one federated assertion (workload identity) it may show.
    ``resources``: what tokens may be asked for. ``expires_in``, ``refresh_in``: seconds, may be set later. ``clock``: epoch seconds.
    """

    def __init__(
        self,
        *,
        tenant: str = TENANT,
        clients: Mapping[str, str] | None = None,
        assertions: Mapping[str, str] | None = None,
        resources: Sequence[str] = (STORAGE, DATABRICKS),
        expires_in: int = 3599,
        refresh_in: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.tenant, self.resources = tenant, tuple(resources)
        self.clients, self.assertions = dict(clients or {}), dict(assertions or {})
        self.expires_in, self.refresh_in = expires_in, refresh_in
        self.clock, self.ahead = clock, 0.0
        self.requests: list[Logged] = []
        self._key = secrets.token_bytes(32)
        self._server = Server(self._answer, server_context(tls_directory()))
        self.url = self._server.url
        self.authority = f"{self.url}/{tenant}"

    def advance(self, seconds: float) -> None:
        """Moves the fake's clock, so that tokens age without waiting."""
        self.ahead += seconds

    def verify(self, token: str, audience: str) -> dict[str, Any] | None:
        """The claims of a token issued here for ``audience`` and not expired by the fake's clock, None for any other text."""
        own_clock = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
        try:
            claims = jwt.decode(token, self._key, algorithms=["HS256"], audience=audience, options=own_clock)
        except jwt.InvalidTokenError:
            return None
        return claims if claims["nbf"] <= self._now() < claims["exp"] else None

    def issue(self, client_id: str, resource: str) -> str:
        """A token as ``client_id`` would get it for ``resource``; a test may ask for a resource that no client may."""
        now = int(self._now())
        who = {"appid": client_id, "oid": str(uuid.uuid5(uuid.NAMESPACE_URL, client_id)), "tid": self.tenant, "ver": "1.0"}
        times = {"iat": now - BACKDATED, "nbf": now - BACKDATED, "exp": now + self.expires_in}
        claims = {"aud": resource, "iss": f"https://sts.windows.net/{self.tenant}/", "sub": who["oid"], **who, **times}
        return jwt.encode(claims | {"uti": secrets.token_urlsafe(16)}, self._key, algorithm="HS256")

    def close(self) -> None:
        self._server.close()

    def _now(self) -> float:
        return self.clock() + self.ahead

    def _answer(self, request: Request) -> Response:
        response = self.around(request, self._route, failed)
        scope = form_of(request).get("scope")
        self.requests.append(Logged(request.method, request.path, request.query, response.status, scope))
        return response

    def _route(self, request: Request) -> Response:
        tenant, _, rest = request.path.lstrip("/").partition("/")
        if (request.method, rest) not in {("GET", "v2.0/.well-known/openid-configuration"), ("POST", "oauth2/v2.0/token")}:
            return Response(404, {"content-length": "0"})
        try:
            if tenant.lower() != self.tenant.lower():
                raise Denial(400, "invalid_tenant", 90002, f"Tenant '{tenant}' not found.")
            return self._discover() if request.method == "GET" else self._grant(request)
        except Denial as denial:
            return refused(denial)

    def _discover(self) -> Response:
        flow = f"{self.authority}/oauth2/v2.0"
        document = {"issuer": f"{self.authority}/v2.0", "jwks_uri": f"{self.authority}/discovery/v2.0/keys"}
        document |= {"authorization_endpoint": f"{flow}/authorize", "token_endpoint": f"{flow}/token"}
        document |= {"token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"]}
        return json_answer(200, document)

    def _grant(self, request: Request) -> Response:
        form = form_of(request)
        for name in ("grant_type", "client_id", "scope"):
            if not form.get(name):
                raise Denial(400, "invalid_request", 900144, f"The request body must contain the following parameter: '{name}'.")
        if form["grant_type"] != "client_credentials":
            text = f"The app requested an unsupported grant type '{form['grant_type']}'."
            raise Denial(400, "unsupported_grant_type", 70003, text)
        self._authenticate(form)
        resource = next((name for name in self.resources if form["scope"] == f"{name}/.default"), None)
        if resource is None:
            text = f"The provided value for scope {form['scope']} is not valid: a resource identifier and /.default are needed."
            raise Denial(400, "invalid_scope", 1002012, text)
        answer = {"token_type": "Bearer", "expires_in": self.expires_in, "ext_expires_in": self.expires_in}
        answer |= {} if self.refresh_in is None else {"refresh_in": self.refresh_in}
        return json_answer(200, answer | {"access_token": self.issue(form["client_id"], resource)})

    def _authenticate(self, form: Mapping[str, str]) -> None:
        """Raises Denial unless the form proves its client by secret or by federated assertion."""
        client = form["client_id"]
        if client not in self.clients and client not in self.assertions:
            text = f"Application with identifier '{client}' was not found in the directory '{self.tenant}'."
            raise Denial(400, "unauthorized_client", 700016, text)
        if "client_assertion" in form:
            known = form.get("client_assertion_type") == JWT_BEARER
            if not known or not same(form["client_assertion"], self.assertions.get(client)):
                text = "No matching federated identity record found for presented assertion."
                raise Denial(401, "invalid_client", 700213, text)
        elif "client_secret" not in form:
            text = "'client_assertion' or 'client_secret' is required for the 'client_credentials' grant type."
            raise Denial(401, "invalid_client", 7000216, text)
        elif not same(form["client_secret"], self.clients.get(client)):
            raise Denial(401, "invalid_client", 7000215, f"Invalid client secret provided for app '{client}'.")


def same(shown: str, expected: str | None) -> bool:
    return expected is not None and hmac.compare_digest(shown.encode(), expected.encode())


def form_of(request: Request) -> dict[str, str]:
    """The fields of a form-encoded body, {} for a body of any other content type."""
    kind = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return {}
    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))


def json_answer(status: int, document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    body = json.dumps(document).encode()
    return Response(status, {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}, body)


def refused(denial: Denial) -> Response:
    trace = f"Trace ID: {uuid.uuid4()} Correlation ID: {uuid.uuid4()}"
    document = {"error": denial.error, "error_description": f"{denial} {trace}", "error_codes": [denial.number]}
    return json_answer(denial.status, document)


def failed(failure: Failure) -> Response:
    return json_answer(failure.status, {"error": failure.code, "error_description": "On demand of the test."}, failure.headers)
