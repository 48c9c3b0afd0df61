"""Every route answers with and without its final slash, and never with a redirect (contract.md §6, trap 3)."""

import re

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver


def routes(resolver: URLResolver, prefix: str = "") -> list[str]:
    """All routes as paths, with 1 in place of every variable part."""
    found = []
    for entry in resolver.url_patterns:
        path = prefix + str(entry.pattern)
        found += routes(entry, path) if isinstance(entry, URLResolver) else [path] if isinstance(entry, URLPattern) else []
    return [re.sub(r"<[^>]+>", "1", path) for path in found]


PATHS = sorted({f"/{path.rstrip('/')}" for path in routes(get_resolver())} - {"/"})


def test_there_are_routes() -> None:
    assert len(PATHS) > 20 and "/api/projects" in PATHS and "/api/storages/localfiles/1/sync" in PATHS


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post", "patch", "delete"])
@pytest.mark.parametrize("path", [path for path in PATHS if path.startswith("/api/")])
def test_an_api_route_answers_the_same_with_and_without_slash_and_never_redirects(path: str, method: str, client: Client) -> None:
    plain, slash = (getattr(client, method)(form, content_type="application/json") for form in (path, f"{path}/"))
    assert plain.status_code == slash.status_code
    assert plain.status_code not in (301, 302, 307, 308, 404)


@pytest.mark.django_db
def test_an_unknown_route_is_404_in_json_both_ways(client: Client) -> None:
    for path in ("/api/nowhere", "/api/nowhere/", "/nowhere"):
        answer = client.get(path)
        assert answer.status_code == 404 and answer.json()["status_code"] == 404
