"""Which class each made image has, whose it is, and which shortcuts it carries."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from masktune.errors import InputError
from masktune.seeds import seed_of
from masktune.testing.settings import ShortcutSettings

_AT_ITS_OWN_SITE = 0.9
"""Share of a class's subjects that come from the site of the same number."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is known of the images before one is drawn."""

    subjects: Int64[np.ndarray, " n"]
    """The number of the subject, counted over all splits of a seed."""
    views: Int64[np.ndarray, " n"]
    """Which of its subject's images it is, from 0."""
    labels: Int64[np.ndarray, " n"]
    """Class indices; one a subject."""
    carries: Bool[np.ndarray, "n m"]
    """Whether the image carries each shortcut."""
    sites: Shaped[np.ndarray, " n"]
    """Where the subject was seen: "site a" mostly for the first class, and so on; no image shows it."""


def plan(n: int, seed: int, first: int, settings: ShortcutSettings) -> Plan:
    """Lay out `n` images, of subjects that are numbered from `first` on; all counts are exact.

    Raises:
        InputError: a class would have no image.
    """
    each = settings.images_per_subject
    draws = np.random.default_rng(seed_of("shortcut images", "plan", seed, first))
    of_subjects = _labels(-(-n // each), draws, settings)  # The last subject has what is left.
    subjects, views = np.divmod(np.arange(n), each)
    labels = of_subjects[subjects]
    carries = np.zeros((n, len(settings.markers)), dtype=bool)
    for column, marker in enumerate(settings.markers):
        for label in range(len(settings.classes)):
            share = marker.share if label == settings.marked(marker) else marker.conflicting
            (of_class,) = np.nonzero(labels == label)
            carries[draws.permutation(of_class)[: round(share * len(of_class))], column] = True
    sites = _sites(of_subjects, len(settings.classes), draws)[subjects]
    return Plan(first + subjects, views, labels, carries, sites)


def group_names(plan: Plan, settings: ShortcutSettings) -> Shaped[np.ndarray, " n"]:
    """Class x shortcut in words: "circle with marker"."""
    nouns = ("marker", "second marker")
    names = []
    for label, carried in zip(plan.labels.tolist(), plan.carries.tolist(), strict=True):
        parts = [f"{'with' if has else 'without'} {noun}" for has, noun in zip(carried, nouns, strict=False)]
        names.append(f"{settings.classes[label]} {' and '.join(parts)}".strip())
    return np.array(names)


def _labels(count: int, draws: np.random.Generator, settings: ShortcutSettings) -> Int64[np.ndarray, " s"]:
    """A class for each subject: whole numbers as near to the shares as can be, in a drawn order."""
    exact = count * np.array(settings.shares)
    counts = np.floor(exact + 1e-9).astype(np.int64)  # 0.29 * 100 is a little below 29.
    largest = np.argsort(counts - exact, kind="stable")
    counts[largest[: count - counts.sum()]] += 1
    if counts.min() < 1:
        kind = "images" if settings.images_per_subject == 1 else "subjects"
        raise InputError(
            f"expected enough {kind} for each class, got {count}, of which class "
            f"{settings.classes[int(counts.argmin())]!r} would have none; make more"
        )
    return draws.permutation(np.repeat(np.arange(len(counts)), counts))


def _sites(
    labels: Int64[np.ndarray, " s"], classes: int, draws: np.random.Generator
) -> Shaped[np.ndarray, " s"]:
    """A site for each subject, that goes with its class but for a tenth."""
    sites = labels.copy()
    for label in range(classes):
        (of_class,) = np.nonzero(labels == label)
        elsewhere = draws.permutation(of_class)[round(_AT_ITS_OWN_SITE * len(of_class)) :]
        sites[elsewhere] = (label + draws.integers(1, classes, len(elsewhere))) % classes
    return np.asarray(np.array([f"site {letter}" for letter in "abcdef"])[sites])
