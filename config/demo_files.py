"""The files of the demo, computed instead of shipped: pictures, a sound, rows of text; knows no project and no storage."""

import json
import math
import struct
import wave
import zlib
from pathlib import Path

WIDTH, HEIGHT = 240, 160
RATE = 16_000  # samples per second of the sound
PICTURES = {
    "sunrise": ((255, 120, 60), (60, 40, 120), (255, 220, 120)),
    "harbour": ((20, 60, 110), (120, 190, 210), (240, 240, 240)),
    "forest": ((20, 80, 40), (160, 200, 120), (90, 60, 30)),
    "night": ((5, 5, 30), (40, 40, 90), (250, 250, 210)),
}
NOTES = (261.63, 329.63, 392.00, 523.25)  # Hz: C, E, G, C
TEXTS = (
    "The parcel arrived a day early and nothing was broken.",
    "I waited two weeks and nobody answered my mail.",
    "The colour is a little darker than on the picture.",
    "Best quay in town, I moor here every summer.",
    "The crane was out of order again, so we had to unload by hand.",
    "Opening hours are from eight to five.",
)

Colour = tuple[int, int, int]


def write_files(root: Path) -> None:
    """Writes images/*.png, sounds/*.wav, texts/*.jsonl and texts/*.parquet below ``root``."""
    for folder in ("images", "sounds", "texts"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name, colours in PICTURES.items():
        (root / "images" / f"{name}.png").write_bytes(picture(*colours))
    write_sound(root / "sounds" / "chord.wav")
    rows = [{"text": text, "source": "jsonl"} for text in TEXTS[:3]]
    (root / "texts" / "reviews.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    write_table(root / "texts" / "reviews.parquet")


def picture(top: Colour, bottom: Colour, disc: Colour) -> bytes:
    """A PNG of a vertical gradient with a disc on it (PNG specification, third edition, sections 5 and 11.2)."""
    radius, x0, y0 = HEIGHT // 5, WIDTH * 2 // 3, HEIGHT // 3
    lines = bytearray()
    for y in range(HEIGHT):
        share = y / (HEIGHT - 1)
        colour = bytes(round(a + (b - a) * share) for a, b in zip(top, bottom, strict=True))
        half = math.isqrt(max(radius**2 - (y - y0) ** 2, 0))
        lines += b"\0" + colour * (x0 - half) + bytes(disc) * (2 * half) + colour * (WIDTH - x0 - half)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)  # 8 bits per channel, colour type 2: RGB
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(bytes(lines), 9)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_sound(path: Path) -> None:
    """A broken chord of two seconds, mono, 16 bits."""
    length = RATE // 2
    samples = [
        round(12_000 * math.exp(-3 * i / length) * math.sin(2 * math.pi * note * i / RATE))
        for note in NOTES
        for i in range(length)
    ]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))


def write_table(path: Path) -> None:
    """The other half of the texts as Parquet."""
    import pyarrow
    import pyarrow.parquet

    texts = list(TEXTS[3:])
    pyarrow.parquet.write_table(pyarrow.table({"text": texts, "source": ["parquet"] * len(texts)}), path)
