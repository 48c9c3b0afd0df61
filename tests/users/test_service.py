"""Version, health, slashes, the OpenAPI document, and the official SDK against a running server."""

import io
import json

import pytest
from django.core.management import call_command
from label_studio_sdk import LabelStudio
from label_studio_sdk.core.api_error import ApiError
from rest_framework.test import APIClient

from users.urls import urlpatterns

VERSION_KEYS = {
    *("release", "edition", "backend", "dm2", "lsf", "label-studio-converter", "label-studio-frontend"),
    *("label-studio-os-backend", "label-studio-os-package"),
}


@pytest.mark.parametrize("authorization", [None, "Token broken"])
@pytest.mark.parametrize("path", ["/api/version/", "/api/version"])
def test_the_version_needs_no_credentials_and_names_the_community_edition(path, authorization):
    client = APIClient()
    if authorization:
        client.credentials(HTTP_AUTHORIZATION=authorization)
    response = client.get(path)
    assert response.status_code == 200
    assert set(response.json()) == VERSION_KEYS
    assert response.json()["edition"] == "Community"


@pytest.mark.parametrize("path", ["/health", "/health/"])
def test_health_needs_neither_credentials_nor_a_database(path):
    response = APIClient().get(path)
    assert (response.status_code, response.json()) == (200, {"status": "UP"})


@pytest.mark.parametrize("route", [str(pattern.pattern) for pattern in urlpatterns])
def test_both_slash_forms_of_a_route_answer_alike_and_never_redirect(api, alice, route):
    path = "/" + route.replace("<int:pk>", str(alice.pk))
    other = path[:-1] if path.endswith("/") else path + "/"
    statuses = [api.options(each).status_code for each in (path, other)]
    assert statuses[0] == statuses[1]
    assert statuses[0] in (200, 405)


@pytest.mark.parametrize("route", [str(pattern.pattern) for pattern in urlpatterns if str(pattern.pattern).startswith("api/")])
def test_every_api_route_but_version_and_refresh_needs_credentials(db, route):
    path = "/" + route.replace("<int:pk>", "1")
    refused = {verb: getattr(APIClient(), verb)(path).status_code for verb in ("get", "post", "patch", "delete")}
    if route == "api/version/":
        assert refused["get"] == 200
    elif route == "api/token/refresh/":
        assert refused["post"] == 400
    else:
        assert set(refused.values()) == {401}


def test_the_openapi_document_describes_these_routes_without_a_warning(capsys):
    out = io.StringIO()
    call_command("spectacular", format="openapi-json", stdout=out)
    paths = json.loads(out.getvalue())["paths"]
    ours = {
        "/" + str(pattern.pattern).replace("<int:pk>", "{id}") for pattern in urlpatterns if "user/" not in str(pattern.pattern)
    }
    assert ours <= set(paths)
    assert [line for line in capsys.readouterr().err.splitlines() if "users/" in line] == []


@pytest.mark.django_db(transaction=True)
def test_the_official_sdk_signs_in_with_a_legacy_key(live_server, alice, key):
    client = LabelStudio(base_url=live_server.url, api_key=key)
    assert client.users.whoami().email == alice.email
    assert client.versions.get().edition == "Community"
    assert client.users.get_token()
    assert client.jwt_settings.get().api_token_ttl_days == 73000
    with pytest.raises(ApiError) as refused:
        LabelStudio(base_url=live_server.url, api_key="unknown").users.whoami()
    assert (refused.value.status_code, refused.value.body["detail"]) == (401, "Invalid token.")


@pytest.mark.django_db(transaction=True)
def test_the_official_sdk_signs_in_with_a_personal_token_and_rotates_it(live_server, alice, bob, refresh):
    client = LabelStudio(base_url=live_server.url, api_key=refresh)
    assert client.users.whoami().username == "alice"
    assert client.versions.get().label_studio_os_package["version"]
    assert [user.email for user in client.users.list()] == [alice.email, bob.email]
    rotated = client.tokens.rotate(refresh=refresh).refresh
    assert LabelStudio(base_url=live_server.url, api_key=rotated).users.whoami().id == alice.pk
    with pytest.raises(ApiError) as refused:
        LabelStudio(base_url=live_server.url, api_key=refresh).users.whoami()
    assert refused.value.status_code == 401
    client.tokens.blacklist(refresh=rotated)
    assert client.tokens.list() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["key", "refresh"])
def test_the_official_sdk_signs_in_with_an_api_key_header(live_server, alice, kind, request):
    value = request.getfixturevalue(kind)
    client = LabelStudio(base_url=live_server.url, api_key="unused", headers={"X-API-Key": value})
    assert client.users.whoami().email == alice.email
