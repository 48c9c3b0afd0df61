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
