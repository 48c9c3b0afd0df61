"""One table for every backend: what is asked, and what RFC 9110 has us answer. Pure data, knows no server.

``{tag}`` and ``{modified}`` in a header stand for the validators of the object asked for, ``{older}`` and ``{newer}`` for a
second before and after its Last-Modified.
"""

from typing import NamedTuple

CAP = 100  # bytes, RESOLVER_PROXY_MAX_RANGE_SIZE
PHOTO, EMPTY = "photo.png", "empty.txt"
OBJECTS = {PHOTO: bytes(range(250)) * 4, EMPTY: b""}
SIZE = len(OBJECTS[PHOTO])


class Row(NamedTuple):
    """``part``: first and last byte of a 206. ``bare``: the status where nothing tells versions of an object apart."""

    ask: dict[str, str]
    status: int = 200
    part: tuple[int, int] | None = None
    bare: int | None = None
    name: str = PHOTO
    method: str = "GET"


def ranged(header: str, part: tuple[int, int] | None, **more: str) -> Row:
    """A Range that selects ``part``; None: it is ignored."""
    return Row({"Range": header, **more}, 206 if part else 200, part)


PARTS = [  # §14.1.2, §14.4; the cap is ours
    ranged("bytes=0-0", (0, 0)),
    ranged("bytes=2-5", (2, 5)),
    ranged("bytes=0-98", (0, 98)),
    ranged("bytes=0-99", (0, 99)),
    ranged("bytes=0-100", (0, 99)),
    ranged("bytes=0-999", (0, 99)),
    ranged("bytes=0-", (0, 99)),
    ranged("bytes=500-", (500, 599)),
    ranged("bytes=900-", (900, 999)),
    ranged("bytes=901-", (901, 999)),
    ranged("bytes=999-999", (999, 999)),
    ranged("bytes=999-", (999, 999)),
    ranged("bytes=990-5000", (990, 999)),
    ranged("bytes=990-99999999999999999999", (990, 999)),
    ranged("bytes=00002-0005", (2, 5)),
    ranged("bytes=-1", (999, 999)),
    ranged("bytes=-100", (900, 999)),
    ranged("bytes=-101", (899, 998)),
    ranged("bytes=-1000", (0, 99)),
    ranged("bytes=-5000", (0, 99)),
    ranged("BYTES=2-5", (2, 5)),
    ranged("bytes= 2-5 ", (2, 5)),
    ranged("bytes=\t2-5", (2, 5)),
]
BEYOND = [  # §15.5.17
    *[Row({"Range": f"bytes={asked}"}, 416) for asked in ("1000-", "1000-1000", "5000-6000", "99999999999999999999-", "-0")],
    *[Row({"Range": f"bytes={asked}"}, 416, name=EMPTY) for asked in ("0-", "0-0", "5-")],
]
IGNORED = [  # §14.2: what is no valid single range of bytes counts as not sent
    *[ranged(f"bytes={asked}", None) for asked in ("", "-", "a-b", "5-2", "--1", "1.5-3", "+2-5", "0x2-5", "2-5;q=1")],
    *[ranged(asked, None) for asked in ("bytes", "bytes 0-1", "items=0-1", "0-1", "=0-1", "bytes=0-1=2", "\u00ff")],
    *[ranged(f"bytes={asked}", None) for asked in ("0-1,4-5", "0-0,-1", "0-,0-,0-", "0-1, 2-3", ",".join(["0-1"] * 1900))],
    ranged("bytes=" + "9" * 8000 + "-", None),
    ranged("bytes=0-" + "9" * 8000, None),
    Row({}),
    Row({}, name=EMPTY),
    Row({"Range": "bytes=-5"}, name=EMPTY),
    Row({"Range": "bytes=-5000"}, name=EMPTY),
]
HEADS = [  # §9.3.2, §14.2: a Range is for GET only
    Row({}, method="HEAD"),
    Row({}, name=EMPTY, method="HEAD"),
    Row({"Range": "bytes=0-1"}, method="HEAD"),
    Row({"Range": "bytes=5000-"}, method="HEAD"),
    Row({"If-None-Match": "{tag}"}, 304, bare=200, method="HEAD"),
    Row({"If-Modified-Since": "{modified}"}, 304, bare=200, method="HEAD"),
    Row({"If-Match": '"other"'}, 412, method="HEAD"),
]
KNOWN = [  # §13.1.2, §13.1.3, §13.2.2
    *[Row({"If-None-Match": tags}, 304, bare=200) for tags in ("{tag}", "W/{tag}", '"x", {tag}', '"x",W/{tag} , "y"')],
    Row({"If-None-Match": "*"}, 304),
    *[Row({"If-None-Match": tags}) for tags in ('"other"', 'W/"other"', '"x", "y"', '"*"', "other")],
    Row({"If-Modified-Since": "{modified}"}, 304, bare=200),
    Row({"If-Modified-Since": "{newer}"}, 304, bare=200),
    *[Row({"If-Modified-Since": date}) for date in ("{older}", "yesterday", "", "Mon, 04 May 99999 12:30:15 GMT")],
    Row({"If-None-Match": '"other"', "If-Modified-Since": "{newer}"}),
    Row({"If-None-Match": "{tag}", "If-Modified-Since": "{older}"}, 304, bare=200),
    Row({"If-None-Match": "*", "Range": "bytes=0-1"}, 304),
    Row({"If-None-Match": "*", "Range": "bytes=5000-"}, 304),
    Row({"If-Modified-Since": "{modified}", "Range": "bytes=0-1"}, 304, bare=206, part=(0, 1)),
    Row({"If-None-Match": "*"}, 304, name=EMPTY),
    ranged("bytes=2-5", (2, 5), **{"If-None-Match": '"other"'}),
    ranged("bytes=-5", (995, 999), **{"If-Modified-Since": "{older}"}),
]
WANTED = [  # §13.1.1, §13.1.4
    *[Row({"If-Match": tags}, bare=412) for tags in ("{tag}", '"x", {tag}')],
    Row({"If-Match": "*"}),
    *[Row({"If-Match": tags}, 412) for tags in ('"other"', "W/{tag}", '"*"')],
    Row({"If-Match": '"other"', "Range": "bytes=0-1"}, 412),
    Row({"If-Match": '"other"', "If-None-Match": "*"}, 412),
    *[Row({"If-Unmodified-Since": date}) for date in ("{modified}", "{newer}", "never")],
    Row({"If-Unmodified-Since": "{older}"}, 412, bare=200),
    Row({"If-Match": "*", "If-Unmodified-Since": "{older}"}),
]
SAME = [  # §13.1.5: a range of the same version, or all of another one
    *[Row({"Range": "bytes=2-5", "If-Range": same}, 206, (2, 5), 200) for same in ("{tag}", "{modified}")],
    Row({"Range": "bytes=0-", "If-Range": "{tag}"}, 206, (0, 99), 200),
    Row({"Range": "bytes=-5", "If-Range": "{tag}"}, 206, (995, 999), 200),
    *[ranged("bytes=2-5", None, **{"If-Range": other}) for other in ('"other"', "W/{tag}", "{older}", "{newer}", "garbage", "*")],
    ranged("bytes=5000-", None, **{"If-Range": '"other"'}),
    Row({"Range": "bytes=5000-", "If-Range": "{tag}"}, 416, bare=200),
    Row({"If-Range": "{tag}"}),
    Row({"Range": "bytes=2-5", "If-Range": "{tag}", "If-None-Match": "*"}, 304),
]
ROWS = [*PARTS, *BEYOND, *IGNORED, *HEADS, *KNOWN, *WANTED, *SAME]


def title(row: Row) -> str:
    """A short name of the row for the report."""
    asked = ", ".join(f"{name}: {value}"[:60] for name, value in row.ask.items()) or "nothing"
    return f"{row.method} {row.name} {asked}".encode("ascii", "backslashreplace").decode()
