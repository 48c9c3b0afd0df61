"""The layers of the code base hold, and each rule can be broken: a rule that never fires protects nothing."""

from pathlib import Path

import pytest

from tests.config.imports import RULES, offences

ROOT = Path(__file__).parents[2]
BROKEN = {
    "an app imports only the apps below it": [
        ("tasks/services.py", "from storages.models import ImportLink"),
        ("projects/views.py", "def view():\n    import tasks.models"),
        ("users/models.py", "from config import settings"),
        ("storages/base.py", "from config.errors import envelope"),
    ],
    "only the registry names a backend": [
        ("storages/jobs.py", "from storages.backends.s3 import BACKEND"),
        ("config/demo.py", "from storages.backends import localfiles"),
    ],
    "a backend knows the contract, not who uses it": [("storages/backends/s3.py", "from storages import jobs")],
    "the engine is free of framework and queue": [
        ("storages/sync/scan.py", "from django.utils import timezone"),
        ("storages/sync/read.py", "import rq"),
    ],
    "the engine knows only the client contract": [("storages/sync/scan.py", "from storages.base import ImportStorage")],
    "the contract is free of framework": [
        ("storages/client.py", "import django"),
        ("storages/media/ranges.py", "from rest_framework import status"),
    ],
    "a provider knows the contract, neither columns nor users": [
        ("storages/providers/aws/client.py", "from storages.base import Storage"),
        ("storages/providers/tokens.py", "from storages.fields import SecretField"),
    ],
    "a provider is free of models and API": [("storages/providers/redis/client.py", "from django.db import models")],
    "only backends know how a vendor is spoken to": [("storages/api/views.py", "from storages.providers import http")],
    "errors know nothing": [("storages/errors.py", "from storages.client import Client")],
    "the contract knows only errors": [("storages/client.py", "from .base import Storage")],
    "models know neither routes nor jobs": [("storages/base.py", "from storages.jobs import tick")],
    "the API knows no page": [("storages/api/views.py", "from ..pages import forms")],
    "media knows neither API nor sync": [("storages/media/stream.py", "from storages.api import views")],
    "jobs know neither API nor pages": [("storages/jobs.py", "from storages.api import views")],
    "the service starts without any cloud SDK": [
        ("storages/backends/s3.py", "import boto3"),
        ("storages/backends/gcs.py", "try:\n    from google.cloud import storage\nexcept ImportError:\n    storage = None"),
        ("storages/sync/read.py", "class Reader:\n    import pyarrow.parquet"),
    ],
    "only the egress guard opens connections": [
        ("storages/backends/databricks.py", "import requests"),
        ("users/views.py", "from urllib.request import urlopen"),
    ],
    "a fault is caught by its own class": [
        ("tasks/services.py", "try:\n    pass\nexcept Exception:\n    pass"),
        ("users/views.py", "try:\n    pass\nexcept:\n    pass"),
        ("projects/views.py", "try:\n    pass\nexcept (ValueError, BaseException):\n    pass"),
        ("config/up.py", "import contextlib\nwith contextlib.suppress(Exception):\n    pass"),
    ],
}
FINE = [
    ("storages/backends/__init__.py", "from storages.backends import s3"),
    ("storages/backends/azure_spi.py", "from storages.backends import azure"),
    ("storages/jobs.py", "from storages.backends import BACKENDS\ntry:\n    pass\nexcept Exception:\n    pass"),
    ("storages/backends/s3.py", "def session():\n    import boto3"),
    ("storages/sync/read.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pyarrow"),
    ("storages/egress.py", "import socket\nimport urllib3"),
    ("users/tokens.py", "from config.env import env_str\nfrom config import crypto"),
    ("config/urls.py", "from storages.api import views\nfrom users import models"),
]


def write(root: Path, path: str, source: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source)


def test_the_code_base_keeps_every_rule() -> None:
    assert offences(ROOT) == []


@pytest.mark.parametrize(("rule", "path", "source"), [(rule, *case) for rule, cases in BROKEN.items() for case in cases])
def test_a_broken_rule_is_reported_with_file_and_line(tmp_path: Path, rule: str, path: str, source: str) -> None:
    write(tmp_path, path, source)
    [offence] = offences(tmp_path)
    assert offence.startswith(f"{path}:") and rule in offence


@pytest.mark.parametrize(("path", "source"), FINE)
def test_what_the_rules_allow_is_not_reported(tmp_path: Path, path: str, source: str) -> None:
    write(tmp_path, path, source)
    assert offences(tmp_path) == []


def test_every_rule_has_an_example_that_breaks_it() -> None:
    assert {rule.name for rule in RULES} < set(BROKEN)
