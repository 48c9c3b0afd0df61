"""How an object may be shown: its media type and its Content-Disposition; knows names and types, never bytes.

Whoever can write to a bucket must not run script on our origin (CVE-2023-47115): only types that browsers show
passively are inline, and PDF, whose script runs in the browser's viewer and never sees our origin.
"""

import mimetypes
import re
import unicodedata

from django.utils.http import content_disposition_header

from storages.client import ObjectInfo

# RFC 9110 §8.3.1; parameters such as charset are kept if they are well formed. A comma outside of quotes would be the
# beginning of another type to a browser (Fetch standard, "extract a MIME type"), which takes the last one
WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
MEDIA_TYPE = re.compile(rf"({WORD}/{WORD})(?=[ \t;]|\Z)")
PARAMETERS = re.compile(rf"([ \t]*;[ \t]*({WORD}=({WORD}|\"[ !#-\[\]-~]*\"))?)*")
CODING = re.compile(WORD)
NO_CODING = {"identity", "aws-chunked"}  # the second is how S3 was written to, which some stores keep by mistake
UNKNOWN = re.compile(r"(application|binary)/(octet-stream|x-unknown)|application/x-www-form-urlencoded", re.IGNORECASE)
PASSIVE = re.compile(r"(image|audio|video)/.*|text/(plain|csv|tab-separated-values)|application/(json|x-ndjson)", re.IGNORECASE)
PDF = "application/pdf"
ACTIVE = re.compile(r".*(\+xml|/xml|/svg).*", re.IGNORECASE)  # an SVG is an image, and a document that runs script
NAME_LENGTH = 200

# Python's own table only, without the machine's mime.types: answers must not depend on the host.
# Added: https://www.iana.org/assignments/media-types, and the usual names of unregistered ones.
TYPES = mimetypes.MimeTypes()
for kind, extensions in {
    "application/x-ndjson": (".jsonl", ".ndjson"),
    "application/vnd.apache.parquet": (".parquet",),
    "audio/flac": (".flac",),
    "audio/mp4": (".m4a",),
    "audio/ogg": (".ogg", ".oga", ".opus"),
    "audio/wav": (".wav",),
    "audio/webm": (".weba",),
    "image/avif": (".avif",),
    "image/heic": (".heic",),
    "image/jpeg": (".jpg", ".jpeg", ".jfif"),
    "image/jxl": (".jxl",),
    "image/webp": (".webp",),
    "video/ogg": (".ogv",),
    "video/x-matroska": (".mkv",),
}.items():
    for extension in extensions:
        TYPES.add_type(kind, extension)


def media_type(info: ObjectInfo) -> str:
    """What the storage says, else what the key's extension says; ``application/octet-stream`` if neither knows."""
    stored = info.content_type.strip()
    if (found := MEDIA_TYPE.match(stored)) and not UNKNOWN.match(stored):
        if found[1].lower() == PDF:
            return PDF  # nothing behind it: this type is let out of the sandbox
        return stored if PARAMETERS.fullmatch(stored, found.end()) else found[1]
    guessed, encoding = TYPES.guess_type("/" + _name(info.key))  # a leading "/": the name must not read as a URL scheme
    if encoding and encoding != coding(info):
        return f"application/{encoding}"
    return guessed or "application/octet-stream"


def coding(info: ObjectInfo) -> str:
    """The Content-Encoding (RFC 9110 §8.4) to send with the bytes as they are stored; "" for none, or for no list of tokens."""
    codings = [coding.strip().lower() for coding in info.encoding.split(",")]
    if not all(CODING.fullmatch(coding) for coding in codings):
        return ""
    return ", ".join(coding for coding in codings if coding not in NO_CODING)


def disposition(info: ObjectInfo) -> str:
    """The Content-Disposition (RFC 6266): inline for what ``is_shown``, else attachment; the file name is safe to save."""
    return content_disposition_header(not is_shown(media_type(info)), _name(info.key)) or "attachment"


def is_shown(kind: str) -> bool:
    """Whether browsers may show a media type as ``media_type`` tells it, rather than save it."""
    return kind == PDF or (PASSIVE.match(kind) is not None and ACTIVE.match(kind) is None)


def _name(key: str) -> str:
    """The last part of ``key`` without path separators, control, bidirectional or broken characters."""
    name = key.rstrip("/").rsplit("/", 1)[-1]
    return "".join("_" if c == "\\" or unicodedata.category(c)[0] == "C" else c for c in name[-NAME_LENGTH:])
