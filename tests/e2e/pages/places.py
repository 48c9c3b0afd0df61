"""Three places with pictures that a person connects: a bucket, a directory of the server, a volume; each with its fake."""

import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.databricks import DatabricksFake
from tests.fakes.faults import Faults
from tests.fakes.s3 import S3Fake

PICTURES = 12
SKIES = ((246, 196, 140), (150, 196, 232), (92, 116, 168), (236, 160, 150))
SEAS = ((60, 110, 140), (32, 96, 136), (24, 52, 92), (88, 92, 128))
HULLS = ((150, 44, 40), (32, 40, 56), (232, 226, 210))


@dataclass
class Place:
    """What is typed into the wizard's fields, by their names in the form.

    ``wrong``: a field, what is wrong in it, and what is then said beside it. ``written``: the body of an object that a target
    has written, by its name there. ``host``: whom the browser may ask for media. ``slow``: makes listings take their time.
    """

    title: str  # of the provider
    source: dict[str, str]
    prefix: str
    target: dict[str, str]
    wrong: tuple[str, str, str]
    written: Callable[[str], bytes | None]
    host: str = ""
    fake: Faults | None = None
    slow: str = ""


def ship(number: int, width: int = 160, height: int = 120) -> bytes:
    """A drawn picture of a ship, another one for each number (PNG specification, third edition, §5)."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    sky, sea, hull = SKIES[number % 4], SEAS[number % 4], HULLS[number % 3]
    middle, size = 60 + number * 17 % 50, 18 + number % 3 * 6

    def pixel(x: int, y: int) -> tuple[int, ...]:
        if 64 <= y < 78 and abs(x - middle) < size + 78 - y:
            return hull
        if 64 - size <= y < 64 and 0 <= x - middle < (y - 64 + size) // 2 + 3:
            return (250, 248, 240)
        return tuple(part - y // 4 for part in sky) if y < 72 else tuple(part - (y - 72) // 2 for part in sea)

    rows = b"".join(b"\0" + bytes(part for x in range(width) for part in pixel(x, y)) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@contextmanager
def bucket(files: Path) -> Iterator[Place]:
    """An S3 bucket whose browsers' rule lets every page read it; listings of four keys."""
    with S3Fake(page_cap=4) as fake:
        for name in ("data", "labels"):
            fake.create_bucket(name)
        for number in range(PICTURES):
            fake.put("data", f"ships/{number:02}.png", ship(number), "image/png")
        fake.set_cors("data", ["*"], headers=["*"])
        keys = {"s3_endpoint": fake.url, "aws_access_key_id": fake.access_key, "aws_secret_access_key": fake.secret_key}
        yield Place(
            "AWS S3",
            {"bucket": "data"} | keys,
            "ships",
            {"bucket": "labels"} | keys,
            ("aws_secret_access_key", "not/the/secret", "rejected the credentials"),
            lambda name: fake.get("labels", name),
            fake.url.removeprefix("http://"),
            fake,
            "^/data/?$",
        )


def directory(files: Path) -> AbstractContextManager[Place]:
    """A directory below the service's document root ``files``."""
    source, target = files / "cameras", files / "labels"
    source.mkdir()
    target.mkdir()
    for number in range(PICTURES):
        (source / f"{number:02}.png").write_bytes(ship(number))

    def written(name: str) -> bytes | None:
        return (target / name).read_bytes() if (target / name).exists() else None

    wrong = ("path", str(files / "no-such-directory"), "does not exist")
    return nullcontext(Place("Local files", {"path": str(source)}, "", {"path": str(target)}, wrong, written))


@contextmanager
def volume(files: Path) -> Iterator[Place]:
    """A Unity Catalog volume with a folder for each side."""
    with DatabricksFake(page_cap=4) as fake:
        for number in range(PICTURES):
            fake.put(f"/Volumes/main/default/data/ships/{number:02}.png", ship(number))
        fake.make_directory("/Volumes/main/default/data/labels")
        place = {"host": fake.url, "catalog": "main", "schema": "default", "volume": "data"}
        yield Place(
            "Databricks Files (UC Volumes)",
            place | {"token": fake.pat},
            "ships",
            place | {"token": fake.pat, "prefix": "labels"},
            ("token", "dapi-not-the-token", "rejected the"),
            lambda name: fake.get(f"/Volumes/main/default/data/labels/{name}"),
            "",
            fake,
            "/fs/directories/",
        )
