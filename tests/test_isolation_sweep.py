"""Every route and verb, called by a stranger, by nobody and by a revoked member, with ids of Alice's objects everywhere."""

import os
import re
import uuid
from collections.abc import Iterator
from itertools import groupby, product
from pathlib import Path
from urllib.parse import quote

import pytest
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from projects.models import Project
from storages.backends import BACKENDS
from tests.conftest import client_of
from tests.fakes.s3 import s3 as s3  # noqa: F401 - the fixture
from tests.routes import CANARY, SECRET, TYPE, Estate, is_api, is_page, routes, settle
from users import legacy_tokens
from users.organizations import revoke_member

pytestmark = pytest.mark.django_db(transaction=True)
VERBS = ("get", "head", "post", "put", "patch", "delete", "options")
VIEWS = dict(routes())
ROUTES = sorted(route for route in VIEWS if not is_page(VIEWS[route]))
PAGES = sorted(route for route in VIEWS if is_page(VIEWS[route]))
PUBLIC = {
    "/api/version/": "says which software this is",
    "/health": "for load balancers",
    "/user/login/": "the way in",
    "/user/logout/": "the way out",
    "/api/token/refresh/": "its credential is the refresh token in the body",
    "/docs/": "the API's description",
    "/docs/openapi.json": "the API's description",
}
OWN = {  # routes of the API without a foreign object in their path on which a stranger may succeed, and on what
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
NOT_YOURS = {"/user/account/token/<int:pk>/revoke": "/user/account"}  # a page that sends strangers to one of their own


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


def call(client: APIClient, verb: str, route: str, path: str, estate: Estate, **headers: str):
    """The answer and all its text."""
    page = is_page(VIEWS[route])
    if verb in ("get", "head"):
        ids = estate.query["project" if route == "/api/projects/" else "task"]  # of what this route lists
        answer = getattr(client, verb)(path, estate.query | {"ids": ids} | (estate.form if page else {}), headers=headers)
    else:
        query = "&".join(f"{name}={value}" for name, value in estate.query.items() if name not in ("tasks", "ids"))
        data = {"data": estate.form, "format": "multipart"} if page else {"data": estate.body, "format": "json"}
        answer = getattr(client, verb)(f"{path}?{query}", **data, headers=headers)
    text = answer.getvalue() if answer.streaming else answer.content
    return answer, text.decode("utf-8", "replace") + str(dict(answer.items()))


def walk(chosen: list[str], estate: Estate) -> Iterator[tuple[str, str, str]]:
    """Route, path and verb of every call."""
    for route in chosen:
        for path, verb in product(estate.paths(route), VERBS):
            yield route, path, verb


def test_every_route_is_a_page_or_of_the_api_and_has_an_object(estate):
    described = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    swept = {re.sub(r"<\w+:(\w+)>", r"{\1}", route).replace("{pk}", "{id}") for route in ROUTES}
    assert len(described) > 40 and not set(described) - swept
    assert len(PAGES) > 40
    for route, view in VIEWS.items():
        assert is_page(view) or is_api(view) or route in PUBLIC, f"{route} is neither a page of members nor of the API"
        assert estate.paths(route) and not any("<" in path for path in estate.paths(route)), route
    assert not {*PUBLIC, *OWN} - set(ROUTES) and not set(NOT_YOURS) - set(PAGES), "a route of the table is gone"


def test_alice_reaches_what_is_kept_from_others(alice, estate):
    """Without this the sweep could pass because its requests are wrong."""
    client = with_token(alice)
    shown = {route for route in ROUTES if CANARY in call(client, "get", route, estate.paths(route)[0], estate)[1]}
    wanted = {"/api/projects/", "/api/projects/<int:pk>/", "/api/tasks/", "/api/tasks/<int:pk>/", "/api/annotations/<int:pk>/",
              "/api/predictions/<int:pk>/", "/api/predictions/", "/api/users/", "/api/users/<int:pk>/", "/api/projects/<int:pk>/export",
              "/api/storages/", "/api/storages/export", "/api/storages/s3/<int:pk>", "/api/storages/export/localfiles/<int:pk>",
              "/api/storages/<str:type>/<int:pk>/runs/<int:run>/issues", "/api/storages/export/<str:type>/<int:pk>/runs/<int:run>/issues",
              "/api/storages/<str:type>/<int:pk>/flagged", "/data/local-files/"}  # fmt: skip
    missing = {route: call(client, "get", route, estate.paths(route)[0], estate)[1] for route in wanted - shown}
    assert missing == {}
    assert (
        call(client, "get", "/tasks/<int:pk>/resolve/", *estate.paths("/tasks/<int:pk>/resolve/"), estate)[0].status_code == 303
    )


def test_alice_reaches_every_page(alice, estate):
    client, drawn = with_token(alice), 0
    for route in PAGES:
        answers = [call(client, "get", route, path, estate) for path in estate.paths(route)]
        statuses = {answer.status_code for answer, _ in answers}
        assert statuses - {404} and statuses <= {200, 204, 302, 404, 405}, (
            f"{route}: {answers}"
        )  # some pages are of one side only
        for answer, text in answers:
            assert "/user/login" not in answer.get("Location", ""), route
            assert "<html" not in text or answer.status_code == 404 or CANARY in text, f"{route} says nothing of Alice's: {text}"
            drawn += "<html" in text and answer.status_code == 200
    assert drawn > 30


@pytest.mark.parametrize("group", grouped([route for route in ROUTES if route not in PUBLIC]), ids=lambda group: group[0])
def test_a_stranger_sees_and_changes_nothing(charlie, estate, group):
    before, stranger = estate.snapshot(), with_token(charlie)
    for route, path, verb in walk(group, estate):
        answer, text = call(stranger if route not in OWN else with_token(charlie), verb, route, path, estate)
        status, said = answer.status_code, f"{verb} {path}: {answer.status_code} {text}"
        assert status < 500, said
        assert "canary" not in text and SECRET not in text, said
        if "<" in route:
            assert status in (404, 405) or verb == "options", said
        elif route not in OWN and not is_form(route):
            assert 400 <= status or verb == "options", said
        if verb == VERBS[-1]:
            assert estate.snapshot() == before, route


def test_a_stranger_finds_no_page_of_alice(charlie, estate):
    before, stranger = estate.snapshot(), with_token(charlie)
    for route, path, verb in walk(PAGES, estate):
        answer, text = call(stranger, verb, route, path, estate)
        said = f"{verb} {path}: {answer.status_code} {text}"
        assert answer.status_code < 500 and "canary" not in text and SECRET not in text, said
        if route in NOT_YOURS:
            assert answer.status_code == 405 or answer["Location"] == NOT_YOURS[route], said
        elif "<" in route:
            assert answer.status_code in (404, 405), said
        if verb == VERBS[-1]:
            assert estate.snapshot() == before, route


def test_a_stranger_does_not_reach_alices_objects_through_a_project_of_their_own(charlie, estate):
    own = Project.objects.create(title="Elsewhere", organization=charlie.active_organization, created_by=charlie)
    stores = [
        model.objects.create(project=own, bucket="own") for model in (BACKENDS[TYPE].import_model, BACKENDS[TYPE].export_model)
    ]
    before, stranger, home = estate.snapshot(), with_token(charlie), f"/projects/{own.pk}/settings/storage"
    nested = [route for route in PAGES if route.startswith("/projects/<int:project>/")]
    of_runs = [route for route in nested if "<int:run>" in route]
    for route, path, verb in [*walk(nested, estate.within(own)), *walk(of_runs, estate.within(own, *stores))]:
        answer, text = call(stranger, verb, route, path, estate)
        said = f"{verb} {path}: {answer.status_code} {text}"
        assert answer.status_code < 500 and "canary" not in text and SECRET not in text, said
        if route.count("<int:") > 1 or "<uuid:" in route:  # names an object of Alice
            assert answer.status_code in (404, 405) or answer["Location"] == home, said
        if verb == VERBS[-1]:
            assert estate.snapshot() == before, route


@pytest.mark.parametrize("group", grouped(ROUTES), ids=lambda group: group[0])
def test_nobody_gets_in_without_credentials(estate, group):
    before, nobody = estate.snapshot(), client_of(None)
    for route, path, verb in walk(group, estate):
        answer, text = call(nobody, verb, route, path, estate)
        said = f"{verb} {path}: {answer.status_code} {text}"
        assert answer.status_code < 500 and CANARY not in text, said
        if route not in PUBLIC:
            assert answer.status_code == 401, said
    assert estate.snapshot() == before


def test_nobody_is_sent_from_every_page_to_sign_in_and_back(estate):
    before, nobody, here = estate.snapshot(), client_of(None), "http://testserver/projects?search=ship"
    for route, path, verb in walk(PAGES, estate):
        answer, text = call(nobody, verb, route, path, estate)
        part, more = call(nobody, verb, route, path, estate, **{"hx-request": "true", "hx-current-url": here})
        assert CANARY not in text + more, path
        if answer.status_code == 405:
            assert part.status_code == 405, path
            continue
        back = f"{quote(path)}%3F" if verb in ("get", "head") else "/"  # a form's address is no page to come back to
        assert answer.status_code == 302 and answer["Location"].startswith(f"/user/login/?next={back}"), f"{verb} {path}: {text}"
        assert part["HX-Redirect"] == "/user/login/?next=/projects%3Fsearch%3Dship", f"{verb} {path}: {more}"
    assert estate.snapshot() == before


@pytest.mark.parametrize(
    "group", [*grouped([route for route in ROUTES if route not in PUBLIC]), PAGES], ids=lambda group: group[0]
)
def test_a_revoked_member_is_refused(bob, team, estate, group):
    client = with_token(bob)
    assert revoke_member(bob, team)
    before = estate.snapshot()
    for route, path, verb in walk(group, estate):
        answer, text = call(client, verb, route, path, estate)
        said = f"{verb} {path}: {answer.status_code} {text}"
        assert answer.status_code == 403 or (route in PAGES and answer.status_code == 405), said
        assert CANARY not in text, said
    assert estate.snapshot() == before
