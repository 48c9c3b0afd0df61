"""The registry: every backend by its name, in the order of all listings. The only module that names a backend."""

from storages.backends import azure, azure_spi, databricks, gcs, gcs_sa, gcswif, localfiles, redis, s3, s3s
from storages.base import Backend

BACKENDS: dict[str, Backend] = {
    declaration.name: declaration
    for declaration in (
        s3.BACKEND,
        s3s.BACKEND,
        gcs.BACKEND,
        gcswif.BACKEND,
        gcs_sa.BACKEND,
        azure.BACKEND,
        azure_spi.BACKEND,
        redis.BACKEND,
        localfiles.BACKEND,
        databricks.BACKEND,
    )
}


def schemes() -> tuple[str, ...]:
    """The URI schemes that task data may refer to objects with."""
    return tuple(dict.fromkeys(backend.scheme for backend in BACKENDS.values() if backend.scheme))
