"""From the failures of the operating system to ours: what became of a file. Knows no directory and opens nothing."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from storages import errors

NO_ROOM = {  # write(2), "Errors"
    errno.ENOSPC: "the disk is full; free some space, or use a larger one",
    errno.EDQUOT: "the disk quota of this server's user is used up; free some space, or raise it",
    errno.EFBIG: "the file is larger than this server's user may write; raise the limit (ulimit -f)",
}


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turns the operating system's failures into ours; paths other than ``name`` are not told."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise errors.NotFound(f"{name!r} does not exist") from error
    except PermissionError as error:
        raise errors.AccessDenied(f"this server's user may not access {name!r}; change its owner or mode") from error
    except OSError as error:
        if error.errno in NO_ROOM:
            raise errors.Full(f"{name!r} cannot be written: {NO_ROOM[error.errno]}") from error
        if error.errno == errno.EROFS:
            raise errors.AccessDenied(f"{name!r} lies on a read-only file system; mount it for writing") from error
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL):
            raise errors.NotFound(f"no file can have the name {name[:100]!r}") from error
        raise errors.Unavailable(f"{name!r}: {error.strerror}") from error
