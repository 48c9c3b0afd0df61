"""Imported by Python at the start of every worker of the harness, which puts this directory on its path."""

import os
from pathlib import Path

from config.supervisor import die_with_parent
from tests.faults import inside

if os.getppid() == int(os.environ["FAULTS_PARENT"]):  # not in what a worker starts
    die_with_parent(os.getppid())
inside.install(Path(os.environ["FAULTS_DIRECTORY"]))
