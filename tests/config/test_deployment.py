"""docker-compose.yml, Dockerfile and nginx.conf fit the code: no engine needed, they are read and checked."""

import importlib
import re
from pathlib import Path

import pytest
import yaml
from django.core.management import get_commands

from tests.config.deployment import (
    VARIABLE,
    bad_dependencies,
    bad_images,
    bad_secrets,
    body_for,
    off_by_slash,
    settings_names,
)

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES = yaml.safe_load(TEXT)["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
NGINX = (ROOT / "deploy/nginx.conf").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_every_part_of_the_service_is_there_and_emulators_only_on_demand() -> None:
    default = {name for name, service in SERVICES.items() if "profiles" not in service}
    assert default == {"setup", "web", "worker", "scheduler", "postgres", "valkey", "nginx"}
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["emulators"]} == {"s3", "azurite", "gcs"}


@pytest.mark.parametrize("name", [name for name in OURS if name != "web"])
def test_a_command_of_the_compose_file_exists(name: str) -> None:
    assert OURS[name]["command"][:2] == ["python", "manage.py"]
    assert OURS[name]["command"][2] in get_commands()


def test_the_web_server_is_started_alike_everywhere() -> None:
    from config.management.commands.up import WEB

    command = OURS["web"]["command"]
    assert list(WEB.command[3:6]) == command[1:] and str(command).replace("'", '"') in DOCKERFILE
    importlib.import_module(command[2].removeprefix("python:"))
    module, name = command[3].split(":")
    assert hasattr(importlib.import_module(module), name)


def test_workers_run_rqs_scheduler_wherever_they_are_started() -> None:
    from config.management.commands.up import WORKER

    assert list(WORKER[1:]) == OURS["worker"]["command"][1:] and "--with-scheduler" in WORKER


@pytest.mark.parametrize("name", OURS)
def test_every_environment_name_is_one_that_the_code_reads(name: str) -> None:
    assert set(OURS[name]["environment"]) <= settings_names(ROOT / "config")


def test_names_of_settings_are_found_in_the_code() -> None:
    known = settings_names(ROOT / "config")
    assert {"DATABASE_URL", "LABEL_STUDIO_HOST", "LABEL_STUDIO_PASSWORD_FILE", "WEB_WORKERS"} <= known
    assert "NO_SUCH_SETTING" not in known


def test_every_variable_is_explained_in_the_example() -> None:
    example = set(re.findall(r"^(\w+)=", (ROOT / "deploy/env.example").read_text(), re.M))
    used = {name for name, _, _ in VARIABLE.findall(TEXT)}
    assert used - example <= {"MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"}
    assert example <= used


def test_images_are_pinned_and_no_secret_has_a_default() -> None:
    assert bad_images(SERVICES) == []
    assert bad_secrets(TEXT) == []
    assert re.match(r"FROM python:3\.11-slim-\w+$", re.search(r"^FROM .*", DOCKERFILE, re.M)[0])


def test_waiting_services_wait_for_something_that_is_checked() -> None:
    assert bad_dependencies(SERVICES) == []


def test_the_image_runs_without_root_and_is_checked() -> None:
    assert re.findall(r"^USER (.*)", DOCKERFILE, re.M) == ["quayside"]
    assert "HEALTHCHECK" in DOCKERFILE and "/api/version/" in DOCKERFILE
    assert all(service["read_only"] and service["cap_drop"] == ["ALL"] for service in OURS.values())


def test_only_nginx_is_published_and_only_locally_unless_told() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"nginx"}
    assert SERVICES["nginx"]["ports"] == ["${PUBLISH:-127.0.0.1:8080}:80"]


@pytest.mark.parametrize("path", ["/tasks/7/resolve/", "/tasks/7/presign", "/projects/7/resolve/", "/data/local-files/"])
def test_media_pass_nginx_unbuffered(path: str) -> None:
    assert "proxy_buffering off;" in body_for(NGINX, path)


def test_other_routes_are_buffered() -> None:
    assert "proxy_buffering" not in body_for(NGINX, "/api/tasks/7/")


def test_no_location_can_be_left_by_a_missing_slash() -> None:
    assert off_by_slash(NGINX) == []


@pytest.mark.parametrize(
    "block",
    [
        "location /i { alias /w/images/; }",
        "location /i/ { alias /w/images; }",
        "location /api { proxy_pass http://web/v1/; }",
        "location ~ ^/i { alias /w/images/; }",
    ],
)
def test_a_location_that_is_off_by_a_slash_is_found(block: str) -> None:
    assert len(off_by_slash(f"server {{ {block} location / {{ proxy_pass http://web; }} }}")) == 1


@pytest.mark.parametrize("text", ["  A_PASSWORD: hunter2", "x: ${SECRET_KEY:-abc}", "x: ${A_TOKEN}", "x: ${SECRET_KEY-}"])
def test_a_secret_with_a_value_is_found(text: str) -> None:
    assert len(bad_secrets(text)) == 1


def test_broken_services_are_found() -> None:
    assert bad_images({"a": {"image": "nginx"}, "b": {"image": "nginx:latest"}, "c": {"image": "h:5000/nginx"}}) == [
        "a",
        "b",
        "c",
    ]
    waits = {"condition": "service_healthy"}
    services = {"a": {"depends_on": {"b": waits, "c": waits}}, "b": {"image": "x:1"}}
    assert bad_dependencies(services) == ["a waits for b", "a waits for c"]
