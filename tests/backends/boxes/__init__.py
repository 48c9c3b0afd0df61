"""The harness of every backend by its name; a backend without one makes the behaviour suite fail."""

from tests.backends.boxes.localfiles import LocalFilesHarness
from tests.backends.boxes.s3 import S3Harness
from tests.backends.harness import Harness

HARNESSES: dict[str, type[Harness]] = {harness.name: harness for harness in (S3Harness, LocalFilesHarness)}
