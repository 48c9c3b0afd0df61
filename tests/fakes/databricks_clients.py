"""Plain HTTP towards the Databricks fake: sends a path as written and keeps quiet about redirects."""

import requests

from tests.fakes.databricks import DatabricksFake

ROOT = "/Volumes/main/default/data"


def call(fake: DatabricksFake, method: str, target: str, *, token: str | None = None, **options: object) -> requests.Response:
    """``target`` is "files/…" or "directories/…" of the Files API, or an absolute path; "" for ``token`` sends none."""
    path = target if target.startswith("/") else f"/api/2.0/fs/{target}"
    token = fake.pat if token is None else token
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    headers |= options.pop("headers", {})
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, fake.url + path, headers=headers, timeout=5, allow_redirects=False, **options)


def refusal(answer: requests.Response) -> tuple[int, int | str, str, str | None]:
    """(status, error_code, message, reason) of an error document."""
    document = answer.json()
    reason = document["details"][0]["reason"] if "details" in document else None
    return answer.status_code, document["error_code"], document["message"], reason


def token_of(fake: DatabricksFake, scope: str = "all-apis", client: str = "crane", secret: str = "s") -> requests.Response:
    """The answer to a token request that is right as far as the arguments are."""
    form = {"grant_type": "client_credentials", "scope": scope}
    return requests.post(f"{fake.url}/oidc/v1/token", data=form, auth=(client, secret), timeout=5)
