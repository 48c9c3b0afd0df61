"""The README's examples, executed as they are written against a first run of the service."""

import os
import re
import subprocess
import sys

from tests.e2e.server import ROOT, running, until


def blocks(language: str) -> list[str]:
    section = (ROOT / "README.md").read_text().split("## Try it")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


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
