"""What a data set consists of: the files to fetch, the places that have them, and what they become."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from masktune.fetching.measure import amount

Packing = Literal["zip", "tar", "gz"]

_PACKINGS: Mapping[str, Packing] = {
    ".zip": "zip",
    ".tgz": "tar",
    ".tar": "tar",
    ".tar.gz": "tar",
    ".gz": "gz",
}


@dataclass(frozen=True, slots=True)
class Source:
    """One place on the network that a file can be fetched from."""

    url: str
    """Full address; http only where a checksum holds the content."""
    size: int | None = None
    """Bytes; None where it could not be verified."""
    checksum: str | None = None
    """"sha256:..." or "md5:..."; None where it could not be verified."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a data set: one file, or one folder that comes in an archive."""

    makes: str
    """What stands under the root when the part is complete, with `/`; in the archive its folder has the same
    name, or is the archive itself."""
    file: str
    """What is fetched, under the root, with `/`; the same as `makes` where nothing is unpacked."""
    sources: tuple[Source, ...]
    """Places to try, in this order."""
    holds: tuple[str, ...] = ()
    """Paths that an unpacked folder has; without them it is another archive, or half of one."""
    unpacked: Mapping[str, str] = field(default_factory=dict)
    """Checksums of unpacked files where they are known, by path under `makes`; "" is `makes` itself."""

    @property
    def packing(self) -> Packing | None:
        """How `file` is packed; None where it is used as it comes."""
        return None if self.file == self.makes else packing_of(self.file)

    @property
    def size(self) -> int | None:
        """Bytes to fetch from the first source that states them."""
        return next((source.size for source in self.sources if source.size), None)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a data set comes from, and what is done with what comes."""

    name: str
    """As it is typed."""
    data_set: str
    """Name of the data set that it is, or a piece of: `masktune data check` knows that."""
    parts: tuple[Part, ...]
    by_hand: str
    """Steps for a person where no source answers, or where only a person may; `{root}` is the root folder."""
    note: str = ""
    """What to know before it is fetched; "" for nothing."""
    licence: str = ""
    """Of a data set that `masktune.data.official` has no facts of; else "", and the facts say it."""
    about: str = ""
    """How much there is to fetch, as people say; "" where it could be verified, or nobody says it."""

    @property
    def size(self) -> str:
        """How much there is to fetch, for a person."""
        sizes = [part.size for part in self.parts]
        if None in sizes:
            return self.about or "how much there is to fetch, only its server knows"
        return f"{amount(sum(size for size in sizes if size))} to fetch"


def packing_of(file: str) -> Packing | None:
    """How a file is packed, by its name; None for none that we unpack."""
    suffixes = PurePosixPath(file.lower()).suffixes
    return _PACKINGS.get("".join(suffixes[-2:])) or _PACKINGS.get("".join(suffixes[-1:]))
