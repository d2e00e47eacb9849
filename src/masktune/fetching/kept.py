"""What has come of a file so far: `NAME.part`, and beside it `NAME.part.json` with where it came from."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from masktune.files import make_folder, storage_errors, write_text


@dataclass(frozen=True, slots=True)
class Kept:
    """The unfinished file of a download; it stays when the download breaks off."""

    target: Path
    """Where the file stands once it is whole."""

    @property
    def path(self) -> Path:
        """The unfinished file."""
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def size(self) -> int:
        """Bytes that have come so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    def version(self, url: str, checksum: str | None) -> str | None:
        """What the server called the file that these bytes are of; None where they must not be added to.

        They may be where they came from the same address, and the server told one version of the file from
        another; or where a checksum will tell, then from any address, and the version may be "".
        """
        try:
            record = json.loads(self._record.read_text(encoding="utf-8"))
            same = record["url"] == url
            version = str(record["version"]) if same else ""
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
        ):  # No record, or not ours: the bytes could be anything.
            return None
        return version if version or (checksum is not None and record.get("checksum") == checksum) else None

    def begin(self, url: str, version: str, checksum: str | None) -> None:
        """Forget what has come, and note where what will come is from."""
        make_folder(self.target.parent)
        self.forget()
        write_text(self._record, json.dumps({"url": url, "version": version, "checksum": checksum}))
        with storage_errors(self.path):
            self.path.touch()

    def open(self) -> IO[bytes]:
        """To add bytes at the end."""
        return self.path.open("ab")

    def finish(self) -> None:
        """The file is whole: it takes its name."""
        with storage_errors(self.target):
            self.path.replace(self.target)
            self._record.unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove what has come."""
        with storage_errors(self.path, "remove"):
            self.path.unlink(missing_ok=True)
            self._record.unlink(missing_ok=True)

    @property
    def _record(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part.json")
