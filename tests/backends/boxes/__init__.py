"""The harness of every backend by its name; a backend without one makes the behaviour suite fail."""

from tests.backends.boxes.azure import AzureHarness, AzureSPIHarness
from tests.backends.boxes.databricks import DatabricksHarness
from tests.backends.boxes.gcs import GCSHarness
from tests.backends.boxes.gcs_sa import GCSSAHarness
from tests.backends.boxes.gcswif import GCSWIFHarness
from tests.backends.boxes.localfiles import LocalFilesHarness
from tests.backends.boxes.redis import RedisHarness
from tests.backends.boxes.s3 import S3Harness
from tests.backends.boxes.s3s import S3SHarness
from tests.backends.harness import Harness

HARNESSES: dict[str, type[Harness]] = {
    harness.name: harness
    for harness in (
        S3Harness,
        S3SHarness,
        GCSHarness,
        GCSWIFHarness,
        GCSSAHarness,
        AzureHarness,
        AzureSPIHarness,
        RedisHarness,
        LocalFilesHarness,
        DatabricksHarness,
    )
}
