"""What a keyboard does on a page, and a picture to show there."""

import struct
import zlib

from playwright.sync_api import Page, expect


def png(shade: int) -> bytes:
    """A picture of one grey pixel (PNG specification, third edition, §5)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes([0, shade]))) + chunk(b"IEND", b"")


def type_into(page: Page, field: str, text: str) -> None:
    """Focuses the control by its label and types over what it holds."""
    page.get_by_label(field, exact=False).first.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type(text)


def press(page: Page, name: str) -> None:
    """The button, by keyboard."""
    page.get_by_role("button", name=name, exact=True).first.focus()
    page.keyboard.press("Enter")


def choose(page: Page, title: str) -> None:
    """Walks through the radio cards with the arrow keys."""
    page.get_by_role("radio").first.focus()
    for _ in range(12):
        if page.get_by_role("radio", name=title, exact=True).is_checked():
            break
        page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name=title, exact=True)).to_be_checked()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2)).to_have_text(title)


def no_secret(page: Page, *secrets: str) -> None:
    text = page.content()
    assert not [secret for secret in secrets if secret in text]
