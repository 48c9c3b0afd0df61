"""Azurite is installed once, and what hinders that is said clearly."""

from pathlib import Path

import pytest

from tests.fakes.azure_process import INSTALLED, PROGRAM, install


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory without node_modules; only programs in it are found."""
    (tmp_path / "package.json").write_text("{}")
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def provide_npm(directory: Path, script: str) -> None:
    (directory / "npm").write_text(f"#!/bin/sh\necho called >> calls\n{script}\n")
    (directory / "npm").chmod(0o755)


def test_without_npm_the_error_says_what_to_run(directory):
    with pytest.raises(RuntimeError, match="no npm on PATH: run `npm ci` in "):
        install(directory)


def test_a_failing_npm_is_an_error(directory):
    provide_npm(directory, "exit 1")
    with pytest.raises(RuntimeError, match="npm ci failed"):
        install(directory)


def test_npm_runs_once(directory, capsys):
    files = f"{PROGRAM} {INSTALLED}"
    provide_npm(directory, f"/bin/mkdir -p {PROGRAM.parent}\nfor file in {files}; do : > $file; done")
    install(directory)
    install(directory)
    assert (directory / "calls").read_text() == "called\n"
    assert capsys.readouterr().err.count("installing Azurite: npm ci") == 1
