"""Every route and verb, called by a stranger, by nobody and by a revoked member, with ids of Alice's objects everywhere."""

import os
import re
import uuid
from itertools import groupby, product
from pathlib import Path

import pytest
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from tests.conftest import client_of
from tests.fakes.s3 import s3 as s3  # noqa: F401 - the fixture
from tests.routes import CANARY, Estate, routes, settle
from users import legacy_tokens
from users.organizations import revoke_member

pytestmark = pytest.mark.django_db(transaction=True)
VERBS = ("get", "head", "post", "put", "patch", "delete", "options")
ROUTES = sorted(set(routes()))
PUBLIC = {
    "/api/version/": "says which software this is",
    "/health": "for load balancers",
    "/user/login/": "the way in",
    "/user/logout/": "the way out",
    "/api/token/refresh/": "its credential is the refresh token in the body",
    "/docs/": "the API's description",
    "/docs/openapi.json": "the API's description",
}
PAGES = {"/": "sends people without a session to the login page instead of answering 401"}
OWN = {  # routes without a foreign object in their path on which a stranger may succeed, and on what
    "/": "the start page of the stranger's own organization",
    "/api/current-user": "the stranger",
    "/api/current-user/whoami": "the stranger",
    "/api/current-user/hotkeys/": "the stranger's hotkeys",
    "/api/current-user/token": "the stranger's token",
    "/api/current-user/reset-token/": "the stranger's token",
    "/api/jwt/settings": "the stranger's organization",
    "/api/token/": "the stranger's tokens",
    "/api/users/": "members of the stranger's organization",
    "/api/projects/": "the stranger's projects; a new one is the stranger's",
    "/api/projects/counts/": "the stranger's projects",
    "/api/storages/": "an empty list: a foreign project counts as absent",
    "/api/storages/export": "an empty list: a foreign project counts as absent",
    "/api/storages/types": "the same for everybody",
    "/api/storages/export/types": "the same for everybody",
}


def grouped(chosen: list[str]) -> list[list[str]]:
    """Routes that share the beginning of their path: one test each, since an estate takes longer to make than to walk."""
    return [list(group) for _, group in groupby(chosen, lambda route: route.replace("/export/", "/").split("/")[:4])]


def is_form(route: str) -> bool:
    """The layout of a settings form is the same for everybody."""
    return route.startswith("/api/storages/") and route.endswith("/form")


@pytest.fixture
def estate(alice, project, s3) -> Estate:
    directory = Path(os.environ["LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"]) / f"sweep-{uuid.uuid4().hex[:8]}"
    directory.mkdir()
    for name in ("a.txt", "a.png"):
        (directory / name).write_text(CANARY)
        s3.put("data", name, CANARY.encode())
    keys = {"aws_access_key_id": s3.access_key, "aws_secret_access_key": s3.secret_key}
    return settle(alice, project, keys | {"bucket": "data", "s3_endpoint": s3.url}, str(directory))


def with_token(user) -> APIClient:
    """Signed in with a token for the API and with a session for pages."""
    client = APIClient(HTTP_AUTHORIZATION=f"Token {legacy_tokens.set_key(user)}")
    client.force_login(user)
    return client


def call(client: APIClient, verb: str, route: str, estate: Estate):
    """The answer and all its text."""
    path = estate.path(route)
    body = {} if verb in ("get", "head") else {"data": estate.body, "format": "json"}
    if body:
        query = "&".join(f"{name}={value}" for name, value in estate.query.items() if name not in ("tasks", "ids"))
        answer = getattr(client, verb)(f"{path}?{query}", **body)
    else:
        ids = estate.query["project" if route == "/api/projects/" else "task"]  # of what this route lists
        answer = getattr(client, verb)(path, estate.query | {"ids": ids})
    text = answer.getvalue() if answer.streaming else answer.content
    return answer, text.decode("utf-8", "replace") + str(dict(answer.items()))


def test_the_sweep_knows_every_route_of_the_api_and_an_object_for_each(estate):
    described = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    swept = {re.sub(r"<\w+:(\w+)>", r"{\1}", route).replace("{pk}", "{id}") for route in ROUTES}
    assert len(described) > 40 and not set(described) - swept
    for route in ROUTES:
        assert "<" not in estate.path(route), route
    for table in (PUBLIC, PAGES, OWN):
        assert not set(table) - set(ROUTES), "a route of the table is gone"


def test_alice_reaches_what_is_kept_from_others(alice, estate):
    """Without this the sweep could pass because its requests are wrong."""
    client = with_token(alice)
    shown = {route for route in ROUTES if CANARY in call(client, "get", route, estate)[1]}
    wanted = {"/", "/api/projects/", "/api/projects/<int:pk>/", "/api/tasks/", "/api/tasks/<int:pk>/", "/api/annotations/<int:pk>/",
              "/api/predictions/<int:pk>/", "/api/predictions/", "/api/users/", "/api/users/<int:pk>/", "/api/projects/<int:pk>/export",
              "/api/storages/", "/api/storages/export", "/api/storages/s3/<int:pk>", "/api/storages/export/localfiles/<int:pk>",
              "/api/storages/<str:type>/<int:pk>/runs/<int:run>/issues", "/api/storages/export/<str:type>/<int:pk>/runs/<int:run>/issues",
              "/api/storages/<str:type>/<int:pk>/flagged", "/data/local-files/"}  # fmt: skip
    missing = {route: call(client, "get", route, estate)[1] for route in wanted - shown}
    assert missing == {}
    assert call(client, "get", "/tasks/<int:pk>/resolve/", estate)[0].status_code == 303


@pytest.mark.parametrize("group", grouped([route for route in ROUTES if route not in PUBLIC]), ids=lambda group: group[0])
def test_a_stranger_sees_and_changes_nothing(charlie, estate, group):
    before, stranger = estate.snapshot(), with_token(charlie)
    for route, verb in product(group, VERBS):
        answer, text = call(stranger if route not in OWN else with_token(charlie), verb, route, estate)
        status, said = answer.status_code, f"{verb} {route}: {answer.status_code} {text}"
        assert status < 500, said
        assert CANARY not in text and "canary" not in text, said
        if "<" in route:
            assert status in (404, 405) or verb == "options", said
        elif route not in OWN and not is_form(route):
            assert 400 <= status or verb == "options", said
        if verb == VERBS[-1]:
            assert estate.snapshot() == before, route


@pytest.mark.parametrize("group", grouped(ROUTES), ids=lambda group: group[0])
def test_nobody_gets_in_without_credentials(estate, group):
    before, nobody = estate.snapshot(), client_of(None)
    for route, verb in product(group, VERBS):
        answer, text = call(nobody, verb, route, estate)
        said = f"{verb} {route}: {answer.status_code} {text}"
        assert answer.status_code < 500 and CANARY not in text, said
        if route in PAGES:
            assert answer.status_code == 405 or answer["Location"].startswith("/user/login/"), said
        elif route not in PUBLIC:
            assert answer.status_code == 401, said
    assert estate.snapshot() == before


@pytest.mark.parametrize("group", grouped([route for route in ROUTES if route not in PUBLIC]), ids=lambda group: group[0])
def test_a_revoked_member_is_refused(bob, team, estate, group):
    client = with_token(bob)
    assert revoke_member(bob, team)
    before = estate.snapshot()
    for route, verb in product(group, VERBS):
        answer, text = call(client, verb, route, estate)
        said = f"{verb} {route}: {answer.status_code} {text}"
        assert answer.status_code == 403 or (route in PAGES and answer.status_code == 405), said
        assert CANARY not in text, said
    assert estate.snapshot() == before
