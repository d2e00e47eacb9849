"""Can all images be read? Asked before anything is computed; content hashes come from here too."""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from masktune.data.decode import decode, opened
from masktune.data.pixels import to_pixels
from masktune.data.samples import Samples
from masktune.data.threads import cores, pool
from masktune.errors import DataDamaged, UnreadableImages
from masktune.types import PixelRange, Progress, Step, silent

_AT_ONCE = 64
"""Images between two steps of the progress."""


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """What reading every file once showed."""

    digests: Shaped[np.ndarray, " n"]
    """sha256 of each file's content, in hexadecimal; empty where it could not be read."""
    sizes: Int64[np.ndarray, "n 2"]
    """Height and width of each upright image; 0 where it could not be read."""
    floats: bool
    """Some images have more than 8 bits, or a range to be brought to, so that batches hold floats."""
    problems: tuple[str, ...]
    """One sentence for each file that cannot be used: its path and what is wrong."""
    readable: Bool[np.ndarray, " n"]
    """Which samples can be used."""

    def select(self, chosen: Bool[np.ndarray, " n"]) -> "Checked":
        """What was found for some of them; problems of all stay."""
        return replace(
            self, digests=self.digests[chosen], sizes=self.sizes[chosen], readable=self.readable[chosen]
        )

    @property
    def sha256(self) -> str:
        """Of all readable content, in the order of the samples."""
        return hashlib.sha256("".join(self.digests[self.readable].tolist()).encode()).hexdigest()


def check_images(
    samples: Samples,
    rule: PixelRange | None = "dtype",
    *,
    threads: int | None = None,
    progress: Progress = silent,
) -> Checked:
    """Read and decode every file; JPEGs at an eighth of their size, which still reads all of their data.

    `rule` is how pixels will be made of it (`InputSpec.range`); None where a preprocess of the user's will.
    """
    progress(Step("checking images", 0, len(samples)))
    readers = pool(threads or cores())
    found: list[tuple[str, tuple[int, int], bool, str]] = []
    for start in range(0, len(samples), _AT_ONCE):
        stop = min(start + _AT_ONCE, len(samples))
        found += readers.map(lambda position: _checked(samples, rule, position), range(start, stop))
        progress(Step("checking images", stop, len(samples)))
    digests, sizes, floats, problems = zip(*found, strict=True) if found else ((), (), (), ())
    return Checked(
        digests=np.array(digests, dtype=str),
        sizes=np.array(sizes, dtype=np.int64).reshape(-1, 2),
        floats=any(floats),
        problems=tuple(problem for problem in problems if problem),
        readable=np.array([not problem for problem in problems], dtype=bool),
    )


def usable(samples: Samples, checked: Checked, *, skip_unreadable: bool = False) -> Samples:
    """The samples that can be read.

    Raises:
        UnreadableImages: some cannot, and skipping them was not asked for; it names all of them.
    """
    if not checked.problems:
        return samples
    if not skip_unreadable:
        raise UnreadableImages(checked.problems, len(samples))
    return samples.select(checked.readable)


def _checked(
    samples: Samples, rule: PixelRange | None, position: int
) -> tuple[str, tuple[int, int], bool, str]:
    try:
        content = samples.contents.read(position)
        size, floats = _opened(content) if rule is None else _decoded(content, rule)
    except (DataDamaged, OSError) as error:
        where = samples.contents.where(position)
        return "", (0, 0), False, str(error) if str(error).startswith(where) else f"{where} {error}"
    return hashlib.sha256(content).hexdigest(), size, floats, ""


def _decoded(content: bytes, rule: PixelRange) -> tuple[tuple[int, int], bool]:
    picture = decode(content, channels=1, wanted=lambda size: (1, 1))
    return picture.size, to_pixels(picture, rule).dtype != np.uint8


def _opened(content: bytes) -> tuple[tuple[int, int], bool]:
    with opened(content) as image:
        image.load()
        return (image.height, image.width), False
