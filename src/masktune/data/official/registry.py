"""All official data sets by name, and what a folder looks like that holds another one."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from masktune.data.official import cats_vs_dogs, celeba, cifar10, imagenet9, svhn, waterbirds
from masktune.data.official.facts import Facts
from masktune.data.official.folders import folders_in
from masktune.data.official.listing import Listing
from masktune.data.official.missing import MissingFiles
from masktune.errors import DataNotFound, InputError, near


@dataclass(frozen=True, slots=True)
class Official:
    """One official data set."""

    facts: Facts
    """What is known of it before it is opened."""
    listed: Callable[..., Listing]
    """Lists it, from a root folder and perhaps options of its own."""
    seems: Callable[[Path], bool]
    """Whether a folder itself, not one in it, looks like it, whole or not."""
    options: tuple[str, ...] = ()
    """Names of those that `listed` takes."""


_MOST = 30
"""Folders of a folder in which a data set is looked for that is not where it was said to be."""

_ALL = (
    Official(waterbirds.FACTS, waterbirds.list_waterbirds, waterbirds.seems_waterbirds),
    Official(celeba.FACTS, celeba.list_celeba, celeba.seems_celeba, ("target", "spurious")),
    Official(imagenet9.FACTS, imagenet9.list_imagenet9, imagenet9.seems_imagenet9),
    Official(cifar10.FACTS, cifar10.list_cifar10, cifar10.seems_cifar10),
    Official(svhn.FACTS, svhn.list_svhn, svhn.seems_svhn),
    Official(cats_vs_dogs.FACTS, cats_vs_dogs.list_cats_vs_dogs, cats_vs_dogs.seems_cats_vs_dogs),
)

OFFICIAL: Mapping[str, Official] = MappingProxyType({known.facts.name: known for known in _ALL})
"""By the name that is typed."""

OTHERWISE: Mapping[str, str] = MappingProxyType(
    {
        "mnist": "its four files have known hashes, and `masktune data get mnist ROOT` compares them",
        "imagenet9-train": "it is a part of imagenet9: type `masktune data check imagenet9 ROOT`",
    }
)
"""What else `masktune data get` knows, and how that is checked."""


def official(name: str) -> Official:
    """A data set by its name.

    Raises:
        InputError: there is no such data set; near names are listed.
    """
    if name in OTHERWISE:
        raise InputError(f"expected a data set of {', '.join(OFFICIAL)}, got {name!r}: {OTHERWISE[name]}")
    if name not in OFFICIAL:
        raise InputError(f"no data set {name!r}{near(name, OFFICIAL)}; there are {', '.join(OFFICIAL)}")
    return OFFICIAL[name]


def list_official(name: str, root: str | Path, **options: str) -> Listing:
    """List a data set; a folder that holds another one is told apart from one that lacks files.

    Raises:
        InputError: no such data set or option, or a folder that looks like another data set, or has the data
            set deeper in it.
        MasktuneError: what the data set's own function raises.
    """
    found = official(name)
    unknown = [option for option in options if option not in found.options]
    if unknown:
        known = ", ".join(found.options) or "none"
        raise InputError(f"{name} has no option {unknown[0]!r}, its options are: {known}; leave it out")
    try:
        return found.listed(root, **options)
    except (DataNotFound, InputError) as error:
        path = Path(root)
        if not path.is_dir() or found.seems(path):
            raise
        if other := next((known.facts for known in _ALL if known.seems(path)), None):
            raise InputError(
                f"expected {found.facts.title} in {root}, but it looks like {other.title}; name another "
                f"folder, or type `masktune data check {other.name} {root}`"
            ) from error
        nothing = isinstance(error, MissingFiles) and error.nothing
        deeper = next((folder for folder in _folders_below(path) if nothing and found.seems(folder)), None)
        if deeper is None:
            raise
        raise InputError(
            f"expected {found.facts.title} in {root}, but it lies deeper; did you mean {deeper}?"
        ) from error


def _folders_below(root: Path) -> Iterator[Path]:
    """The folders in a folder, then those in them; not all of thousands."""
    inside = [root / name for name in folders_in(root)[:_MOST]]
    yield from inside
    for folder in inside:
        yield from (folder / name for name in folders_in(folder)[:_MOST])
