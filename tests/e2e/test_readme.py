"""The README's examples, executed as they are written against a first run of the service."""

import os
import re
import subprocess
import sys

import pytest

from storages.backends import BACKENDS
from storages.client import Client
from storages.providers.aws.client import S3Client
from storages.providers.azure.client import KeyClient
from storages.providers.azure.delegation import TokenClient
from storages.providers.databricks.client import DatabricksClient
from storages.providers.google.client import GCSClient
from storages.providers.localfiles import LocalFilesClient
from storages.providers.redis.client import RULES
from tests.e2e.server import ROOT, running, until

GRANTS = {
    ("s3", "s3s"): S3Client.grants,
    ("gcs", "gcs_sa", "gcswif"): GCSClient.grants,
    ("azure",): KeyClient.grants,
    ("azure_spi",): TokenClient.grants,
    ("redis",): {verb: f"{rules} ~{{root}}*" for verb, rules in RULES.items()},
    ("localfiles",): LocalFilesClient.grants,
    ("databricks",): DatabricksClient.grants,
}


def section(title: str) -> str:
    return (ROOT / "README.md").read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]


def blocks(language: str, title: str = "Try it") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", section(title), re.DOTALL)


def test_the_examples_run_as_written(tmp_path, s3):
    s3.create_bucket("my-bucket")
    for name in ("a", "b"):
        s3.put("my-bucket", f"ships/{name}.png", b"x")
    keys = {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key, "S3_ENDPOINT": s3.url}
    [curl], [sdk] = blocks("bash"), blocks("python")
    with running(tmp_path, "sqlite", DEMO="true") as server:
        until(lambda: b'"completed"' in server.get("/api/storages/?project=1").data, 60, "the demo has synced")
        env = os.environ | keys | {"URL": server.url, "TOKEN": server.token}
        assert curl.startswith("export URL="), "the first line is the one that a person fills in"
        shell = subprocess.run(
            ["bash", "-euo", "pipefail"], input=curl.partition("\n")[2], env=env, capture_output=True, text=True, timeout=60
        )
        assert shell.returncode == 0, shell.stderr
        answers = shell.stdout
        assert (
            '"AWS S3"' in answers and '"title":"Ships"' in answers and "harbour.png" in answers and '"status_code"' not in answers
        )
        script = subprocess.run([sys.executable, "-c", sdk], env=env, capture_output=True, text=True, timeout=60)
        assert script.returncode == 0, script.stderr
        assert script.stdout.count("/resolve/?fileuri=") == 2, script.stdout


@pytest.mark.parametrize("types", list(GRANTS))
def test_the_table_of_permissions_says_what_the_doctor_says(types):
    begin = f"| {', '.join(f'`{one}`' for one in types)} |"
    [row] = [line for line in section("Exporting").splitlines() if line.startswith(begin)]
    for verb, grant in GRANTS[types].items():
        assert grant.format(container="BUCKET", root="PREFIX/") in row, verb


def test_every_backend_has_a_row_in_the_table_of_permissions():
    assert sorted(name for types in GRANTS for name in types) == sorted(BACKENDS) and Client.grants == {}


def test_the_reader_of_labels_prints_what_was_exported(tmp_path):
    reader, _ = blocks("python", "Exporting")
    assert len(reader.splitlines()) <= 10
    with running(tmp_path, "sqlite", DEMO="true") as server:
        tasks = until(lambda: server.get("/api/tasks/?project=1&page_size=3").json()["tasks"][1:], 60, "the demo has synced")
        target = server.files / "labels"
        target.mkdir()
        body = {"project": 1, "title": "Labels", "path": str(target)}
        assert server.post("/api/storages/export/localfiles", body).status == 201
        for task, cancelled in zip(tasks[:2], (False, True), strict=True):
            body = {"result": [{"type": "choices"}], "was_cancelled": cancelled}
            assert server.post(f"/api/tasks/{task['id']}/annotations/", body).status == 201
        until(lambda: len(list(target.iterdir())) == 2, 20, "both annotations are there")
    script = subprocess.run([sys.executable, "-c", reader, str(target)], capture_output=True, text=True, timeout=30)
    assert script.returncode == 0, script.stderr
    [line] = script.stdout.splitlines()
    assert line.endswith("[{'type': 'choices'}]"), line
