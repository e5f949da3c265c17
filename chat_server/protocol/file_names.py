"""Files on the wire: safe names, the bytes of one line, and sizes in words."""

import re
from binascii import a2b_base64

from chat_server.errors import Refusal
from chat_server.protocol.sanitize import clean, is_blank

CHUNK_BYTES_MAX = 32_768
# The bytes in each line of a fetched file: a multiple of 3, so that the lines together are the base64 of the file.
PIECE_BYTES = CHUNK_BYTES_MAX // 3 * 3
NAME_CHARS_MAX = 255
_SEPARATORS = r"[/\\]+"
_SHA256 = "[0-9a-f]{64}"


def file_name(raw: str) -> str:
    """Return the last component of a path, on one line, without terminal control. Raises Refusal if nothing is left."""
    parts = [" ".join(part.split()) for part in re.split(_SEPARATORS, clean(raw))]
    name = next((part for part in reversed(parts) if part), "")
    if is_blank(name) or name in (".", ".."):
        raise Refusal("bad_argument", "a file's name is empty or names a directory; give it one like photo.png")
    if len(name) > NAME_CHARS_MAX:
        raise Refusal(
            "bad_argument",
            f"a file's name has at most {NAME_CHARS_MAX} characters, this one has {len(name)}; shorten it",
        )
    return name


def chunk_data(raw: str) -> bytes:
    """Decode the base64 of a chunk. Raises Refusal."""
    if len(raw) > (CHUNK_BYTES_MAX + 2) // 3 * 4:
        raise Refusal(
            "too_large", f"a chunk has at most {CHUNK_BYTES_MAX} bytes of data; send the file in smaller ones"
        )
    try:
        data = a2b_base64(raw, strict_mode=True)
    except ValueError:
        data = None
    if data is None or len(raw) % 4:
        raise Refusal("bad_argument", "the data is not base64 with its padding; nothing of it was taken")
    if len(data) > CHUNK_BYTES_MAX:
        raise Refusal(
            "too_large",
            f"a chunk has at most {CHUNK_BYTES_MAX} bytes of data, this one has {len(data)};"
            " send the file in smaller ones",
        )
    if not data:
        raise Refusal("bad_argument", "a chunk has at least one byte of data")
    return data


def sha256_hex(raw: str) -> str:
    digest = raw.strip().lower()
    if not re.fullmatch(_SHA256, digest):
        raise Refusal("bad_argument", "a sha256 is 64 hexadecimal digits, as sha256sum prints them")
    return digest


def describe_size(size: int) -> str:
    """Write a size for people: `999 bytes`, `1.2 KiB`, `5 MiB`."""
    if size < 1024:
        return f"{size} byte{'s' if size != 1 else ''}"
    value, unit = size / 1024, "KiB"
    for larger in ("MiB", "GiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.1f}".removesuffix(".0") + f" {unit}"
