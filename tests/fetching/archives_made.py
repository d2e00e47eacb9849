"""Archives of every kind, honest and not."""

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

Files = Mapping[str, bytes]


def tar_of(path: Path, files: Files, *, mode: str = "w:gz", extra: tuple[tarfile.TarInfo, ...] = ()) -> Path:
    """A tar with these files, and after them these members without content."""
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in extra:
            archive.addfile(info)
    return path


def special(name: str, kind: bytes, leads_to: str = "") -> tarfile.TarInfo:
    """A member of a tar that is no plain file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, leads_to
    return info


def zip_of(path: Path, files: Files, *, links: Mapping[str, str] = {}) -> Path:
    """A zip with these files, and these symbolic links."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        for name, leads_to in links.items():
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, 0o120777 << 16  # Made on Unix, a link.
            archive.writestr(info, leads_to)
    return path
