"""The registry: every backend by its name, in the order of all listings. The only module that names a backend."""

from storages.backends import localfiles, s3
from storages.base import Backend

BACKENDS: dict[str, Backend] = {
    declaration.name: declaration
    for declaration in (
        s3.BACKEND,
        localfiles.BACKEND,
    )
}


def schemes() -> tuple[str, ...]:
    """The URI schemes that task data may refer to objects with."""
    return tuple(dict.fromkeys(backend.scheme for backend in BACKENDS.values() if backend.scheme))
