"""What is known of a data set before it is opened: every data set's file begins with this."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from masktune.data.samples import Count


@dataclass(frozen=True, slots=True)
class Facts:
    """A data set as its makers describe it, and what others found out about it."""

    name: str
    """As it is typed, and as it stands in results."""
    title: str
    """As people write it."""
    task: str
    """What is to be told apart, and what gives it away."""
    source: str
    """Who made it, and from what."""
    licence: str
    """As commonly stated; none of it was checked with the makers."""
    noise: tuple[str, ...]
    """Known faults, a sentence each."""
    namesakes: tuple[str, ...]
    """What else bears the name, a sentence each."""
    layouts: tuple[str, ...]
    """Folders and files that are accepted, a line each."""
    variants: Mapping[str, str]
    """The variants that have a name, and what each is."""
    published: Mapping[str, tuple[Count, ...]]
    """What each variant holds when it is whole: the makers' counts."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """Splits that are drawn because none are given, and their share of the images they are drawn from."""


def counted(
    split: str | None, classes: Sequence[str], numbers: Sequence[int], groups: Sequence[str] | None = None
) -> tuple[Count, ...]:
    """The counts of one split: a number for each class, or for each group, the groups of a class in a row."""
    if groups is None:
        return tuple(Count(split, label, None, n) for label, n in zip(classes, numbers, strict=True))
    width = len(groups) // len(classes)
    return tuple(
        Count(split, classes[at // width], group, n)
        for at, (group, n) in enumerate(zip(groups, numbers, strict=True))
    )


def paragraphs(text: str) -> tuple[str, ...]:
    """The paragraphs of a text that is broken into lines, each in one line."""
    return tuple(" ".join(part.split()) for part in text.split("\n\n") if part.strip())
