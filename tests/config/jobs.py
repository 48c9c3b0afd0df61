"""Jobs for the worker tests."""

import os
import time
from pathlib import Path


def sleep(path: str) -> None:
    """Writes its process id to ``path``, then runs for longer than any test."""
    Path(path).write_text(str(os.getpid()))
    time.sleep(300)


def touch(path: str) -> None:
    Path(path).touch()


def append(path: str) -> None:
    """Adds the time of the run, in Unix seconds, to ``path``."""
    with Path(path).open("a") as file:
        file.write(f"{time.time()}\n")
