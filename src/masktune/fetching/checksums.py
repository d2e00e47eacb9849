"""A file against the checksum that it should have."""

import hashlib
from pathlib import Path

from masktune.files import storage_errors


def differs(path: Path, checksum: str | None) -> str:
    """What is wrong with the file's content, for a person; "" where it is right or no checksum is known.

    Args:
        path: the file.
        checksum: "sha256:..." or "md5:...".
    """
    if checksum is None:
        return ""
    kind, expected = checksum.split(":")
    with storage_errors(path, "read"), path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()
    return "" if found == expected else f"expected {kind} {expected}, got {found}"
