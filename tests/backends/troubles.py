"""What may go wrong at a target after it was made: how it begins and ends, on real stores and at the wire of the fakes."""

import os
import resource
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from storages.providers.localfiles import LocalFilesClient
from storages.sync.push import Pusher
from tests.fakes.databricks_access import METASTORE

NOBODY, ONE_AT_A_TIME = 65534, threading.Lock()
KMS = "arn:aws:kms:us-east-1:123456789012:key/labels"
Switch = Callable[[Any, pytest.MonkeyPatch, bool], object]  # box, patches that end with the trouble, begin (True) or end


class Trouble(NamedTuple):
    """``code`` and ``says``: what an issue tells; ``keeps``: new objects are taken, none is replaced."""

    backend: str
    switch: Switch
    code: str
    says: str
    settings: dict[str, Any] = {}
    keeps: bool = False
    prepare: Callable[[Any], object] = lambda box: None


def databricks_reader(box: Any, patch: pytest.MonkeyPatch, begin: bool) -> None:
    owner = box.fake.owner
    if begin:
        box.fake.revoke(owner, METASTORE, "ALL PRIVILEGES")
        box.fake.grant(owner, "main", "USE CATALOG", "USE SCHEMA", "READ VOLUME")
    else:
        box.fake.grant(owner, METASTORE, "ALL PRIVILEGES")


def google_without(*permissions: str) -> Switch:
    """The account that objects are reached with may not use ``permissions``."""
    wanted = [f"storage.objects.{one}" for one in permissions]

    def switch(box: Any, patch: pytest.MonkeyPatch, begin: bool) -> None:
        (box.fake.revoke if begin else box.fake.grant)(box.fake.email, "data", *wanted)

    return switch


def redis_acl(rule: str) -> Switch:
    return lambda box, patch, begin: box.admin.execute_command("ACL", "SETUSER", "default", f"{'-' if begin else '+'}{rule}")


def redis_memory(box: Any, patch: pytest.MonkeyPatch, begin: bool) -> None:
    box.admin.config_set("maxmemory", 1 if begin else 0)


def redis_replica(box: Any, patch: pytest.MonkeyPatch, begin: bool) -> None:
    """A replica that keeps what it has: its primary cannot be reached."""
    box.admin.execute_command("REPLICAOF", *(("127.0.0.1", "1") if begin else ("NO", "ONE")))


@contextmanager
def as_nobody() -> Iterator[None]:
    """This process without the rights of root, for whom no mode of a directory counts."""
    with ONE_AT_A_TIME:
        mine = os.geteuid()
        os.seteuid(NOBODY if mine == 0 else mine)
        try:
            yield
        finally:
            os.seteuid(mine)


@contextmanager
def small_files(size: int = 20) -> Iterator[None]:
    """A file may have ``size`` bytes (setrlimit(2), RLIMIT_FSIZE); Python ignores the signal that comes with it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def surrounded(patch: pytest.MonkeyPatch, owner: type, name: str, around: Callable[[], Any]) -> None:
    """The real method runs inside of ``around()``, which is no place for a database."""
    real = getattr(owner, name)

    def inside(*args: Any, **options: Any) -> Any:
        with around():
            return real(*args, **options)

    patch.setattr(owner, name, inside)


def read_only_directory(box: Any, patch: pytest.MonkeyPatch, begin: bool) -> None:
    (box.directory / "out").chmod(0o555 if begin else 0o755)
    if begin:
        surrounded(patch, LocalFilesClient, "write", as_nobody)
        surrounded(patch, LocalFilesClient, "delete", as_nobody)


def limited_files(box: Any, patch: pytest.MonkeyPatch, begin: bool) -> None:
    if begin:
        surrounded(patch, Pusher, "push", small_files)


def mount(directory: Path, *options: str) -> bool:
    """A disk of 256 KiB at ``directory``, or other options for it; False where this process may not mount."""
    command = ["mount", "-t", "tmpfs", "-o", ",".join([*options, "size=256k"]), "quayside-tests", str(directory)]
    return subprocess.run(command, capture_output=True, timeout=10).returncode == 0


def may_mount(directory: Path = Path("/mnt")) -> bool:
    return directory.is_dir() and mount(directory) and unmount(directory)


def unmount(directory: Path) -> bool:
    return subprocess.run(["umount", str(directory)], capture_output=True, timeout=10).returncode == 0


def full_disk(box: Any, patch: pytest.MonkeyPatch, begin: bool) -> None:
    ballast = box.directory / "ballast"
    if not begin:
        return ballast.unlink(missing_ok=True)
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            continue
    return None


def read_only_disk(box: Any, patch: pytest.MonkeyPatch, begin: bool) -> None:
    assert mount(box.directory, "remount", "ro" if begin else "rw")


def answer(name: str, *arguments: Any) -> Switch:
    """A switch of the fake that takes what it is about, and whether it begins."""
    return lambda box, patch, begin: getattr(box.fake, name)(*arguments, begin)


def hide(box: Any, patch: pytest.MonkeyPatch, begin: bool) -> None:
    """The container is gone; it comes back with what it held."""
    match box.name:
        case "s3" | "s3s" | "gcs" | "gcswif" | "gcs_sa":
            box.fake.hide_bucket("data", begin)
        case "azure" | "azure_spi":
            box.fake.hide_container(box.container, begin)
        case "databricks":
            box.fake.hide_volume("main.default.data", begin)
        case "localfiles":
            here, away = box.directory / "out", box.directory / "away"
            here.rename(away) if begin else away.rename(here)


def forbidden(*actions: str) -> Switch:
    return lambda box, patch, begin: box.fake.forbid(*actions if begin else ())


def denied(*verbs: str) -> Switch:
    return lambda box, patch, begin: box.fake.deny(*verbs if begin else ())


def kms(code: str) -> Switch:
    return lambda box, patch, begin: box.fake.set_key(KMS, code if begin else "")


def failing(status: int, code: str, match: str) -> Switch:
    return lambda box, patch, begin: box.fake.fail_next(9999, status, code, match) if begin else box.fake.heal()


def protected(box: Any, patch: pytest.MonkeyPatch, begin: bool) -> None:
    box.fake.protect(box.container, begin)


# backend: how the permission to write or to delete is taken away, verb that the doctor names, grant; {root}: of the target
WRITING: dict[str, tuple[Switch, str, str]] = {
    "s3": (forbidden("s3:PutObject"), "write", "s3:PutObject on arn:aws:s3:::data/out/*"),
    "s3s": (forbidden("s3:PutObject"), "write", "s3:PutObject on arn:aws:s3:::data/out/*"),
    **dict.fromkeys(
        ("gcs", "gcswif", "gcs_sa"),
        (google_without("create"), "write", "storage.objects.create and storage.objects.delete (roles/storage.objectUser)"),
    ),
    "azure": (lambda box, patch, begin: box.fake.allow_key(not begin), "list", "'Allow storage account key access'"),
    "azure_spi": (denied("write"), "write", "Storage Blob Data Contributor on the container "),
    "redis": (redis_acl("set"), "write", "+select +set ~out/*"),
    "localfiles": (read_only_directory, "write", "write permission on /"),
    "databricks": (databricks_reader, "write", "READ VOLUME and WRITE VOLUME on Volumes/main/default/data"),
}
DELETING: dict[str, tuple[Switch, str, str]] = {
    "s3": (forbidden("s3:DeleteObject"), "no_permission", "a policy or a retention of the bucket"),
    "s3s": (forbidden("s3:DeleteObject"), "no_permission", "s3:DeleteObject on arn:aws:s3:::data/out/*"),
    "gcs": (answer("retain", "data"), "no_permission", "a retention policy keeps the object"),
    "gcswif": (google_without("delete"), "no_permission", "roles/storage.objectUser"),
    "gcs_sa": (google_without("delete"), "no_permission", "roles/storage.objectUser"),
    "azure": (protected, "no_permission", "an immutability policy"),
    "azure_spi": (denied("delete"), "no_permission", "Storage Blob Data Contributor"),
    "redis": (redis_acl("unlink"), "no_permission", "+select +unlink"),
    "localfiles": (read_only_directory, "no_permission", "write permission on /"),
    "databricks": (databricks_reader, "no_permission", "WRITE VOLUME"),
}
DISK = partial(Trouble, "localfiles", prepare=lambda box: mount(box.directory))
DISKS = {
    "localfiles: disk full": DISK(full_disk, "full", "the disk is full; free some space"),
    "localfiles: disk mounted read-only": DISK(read_only_disk, "no_permission", "mount it for writing"),
}
KEYS = {"aws_sse_kms_key_id": KMS}
TROUBLES: dict[str, Trouble] = {
    **{
        f"{name}: no permission": Trouble(name, switch, "no_permission", grant)
        for name, (switch, verb, grant) in WRITING.items()
        if verb == "write"
    },
    "s3: key forbidden": Trouble("s3", kms("AccessDenied"), "no_permission", f"kms:GenerateDataKey on {KMS}", KEYS),
    "s3: key disabled": Trouble("s3", kms("KMS.DisabledException"), "misconfigured", "the KMS key is disabled; enable it", KEYS),
    "s3: key gone": Trouble("s3", kms("KMS.NotFoundException"), "misconfigured", "no such KMS key", KEYS),
    "s3: key ends": Trouble("s3", kms("KMS.KMSInvalidStateException"), "misconfigured", "set another one", KEYS),
    "s3: quota": Trouble("s3", failing(403, "QuotaExceeded", "/out/"), "full", "no room left for s3://data/out/"),
    "s3: slow down": Trouble("s3", failing(503, "SlowDown", "/out/"), "throttled", "asks to slow down"),
    "azure: immutable": Trouble("azure", protected, "no_permission", "immutability policy or a legal hold", keeps=True),
    "azure_spi: immutable": Trouble("azure_spi", protected, "no_permission", "(HTTP 409 BlobImmutableDueToPolicy)", keeps=True),
    "gcs: retention": Trouble("gcs", answer("retain", "data"), "no_permission", "when its time is over", keeps=True),
    "redis: memory": Trouble("redis", redis_memory, "full", "is out of memory; free some, or raise its maxmemory"),
    "redis: replica": Trouble("redis", redis_replica, "misconfigured", "give the address of the primary"),
    "databricks: quota": Trouble(
        "databricks", failing(429, "RESOURCE_EXHAUSTED", "/files/"), "throttled", "asks to slow down; try again later"
    ),
    "localfiles: large file": Trouble("localfiles", limited_files, "full", "raise the limit (ulimit -f)"),
    **(DISKS if may_mount() else {}),  # a container may lack the right to mount; the limit above fails in the same place
}
