"""Does what begins to arrive look like the file that was asked for? A login page often comes in its stead."""

from masktune.fetching.sources import packing_of

_BEGINNINGS = {"zip": (b"PK\x03\x04", b"PK\x05\x06"), "gz": (b"\x1f\x8b",)}

ENOUGH = 512
"""Bytes that are enough to tell."""


def oddity(file: str, beginning: bytes) -> str:
    """What is odd about the first bytes of a file of that name, for a person; "" for nothing.

    Args:
        file: name; its ending says what is expected.
        beginning: the first `ENOUGH` bytes, or the whole of a shorter file.
    """
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "a web page came instead of the file (a login, a licence to accept, or an error)"
    kind = "gz" if file.endswith((".gz", ".tgz")) else packing_of(file)
    if kind in _BEGINNINGS and not beginning.startswith(_BEGINNINGS[kind]):
        return f"what came is no {kind} archive; it begins with {beginning[:16]!r}"
    return ""
