"""Whether images of one split have a twin in another, and whether one picture bears two labels."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float32, Int64

from masktune.findings.finding import Evidence, Finding, Question
from masktune.findings.observed import Observed
from masktune.findings.probing import cells, rate

ALIKE = 0.99
"""Correlation of twins' tiny pictures.

Photos saved as JPEG of quality 30 keep 0.994 and more, at half the size 0.989 in 19 of 20 cases; the most
alike of 8 million pairs of MNIST digits reach 0.981, of 2 million pairs of made shapes 0.968.
"""

APART = 8.0
"""Greatest mean difference of twins' tiny pictures, of 255: 3 after quality 30, 6 at half the size."""

COARSE = 0.98
"""Correlation of 8 x 8 grey cells from which a pair is looked at closely."""

FLAT = 2.0
"""Standard deviation of a tiny picture below which it has no content to compare; equal files still count."""

BLOCK = 512
"""Images that are held against all later ones at once."""

LOOKED_AT = 2_000
"""Pairs of a block that are looked at closely; of more, those that are most alike."""

LEAK = 0.01
"""Share of the later split with a twin above which its numbers say too much."""

ORDER = ("train", "training", "validation", "valid", "val", "test")
"""Earlier splits are what the classifier may have learned; other names come in order of their rows."""

Pairs = Int64[np.ndarray, "p 2"]


def ask(observed: Observed) -> list[Finding]:
    """One finding for each two splits that share pictures, one for pictures with two labels."""
    pairs = twins(observed)
    found = [*_leaks(observed, pairs), *_conflicts(observed, pairs)]
    if found:
        return found
    if observed.predictions.splits is None:
        reason = "there are no splits between which to look; no picture bears two labels"
        return [QUESTION.finding("not_applicable", reason)]
    return [QUESTION.finding("passed", "no picture is in two splits, and none bears two labels")]


def twins(observed: Observed) -> Pairs:
    """Pairs of rows, each once, that show the same picture but differ in split or label."""
    kinds = _splits(observed)[1] * len(observed.data_classes) + observed.labels
    near = np.array([*_near(observed, kinds)], dtype=np.int64).reshape(-1, 2)
    if observed.digests is not None:
        near = np.concatenate([near, _equal(observed.digests.astype(str), kinds)])
    return np.asarray(np.unique(np.sort(near, axis=1), axis=0))


def _splits(observed: Observed) -> tuple[list[str], Int64[np.ndarray, " n"]]:
    """The splits' names, earlier ones first, and each image's place among them."""
    splits = observed.predictions.splits
    if splits is None:
        return [""], np.zeros(len(observed), dtype=np.int64)
    names = sorted(
        dict.fromkeys(splits.tolist()), key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER)
    )
    places = {name: place for place, name in enumerate(names)}
    return names, np.array([places[name] for name in splits.tolist()], dtype=np.int64)


def _near(observed: Observed, kinds: Int64[np.ndarray, " n"]) -> Iterator[tuple[int, int]]:
    """Pairs whose tiny pictures are nearly equal, by products of matrices, block by block."""
    whole = observed.tiny.reshape(len(observed), -1)
    rows = np.flatnonzero(np.array([picture.std() for picture in whole]) >= FLAT)
    if not len(rows):
        return
    coarse = _unit(cells(observed.tiny[rows], (4, 4)).reshape(len(rows), 64, -1).mean(axis=2))
    for start in range(0, len(rows), BLOCK):
        alike = coarse[start : start + BLOCK] @ coarse[start:].T
        # Faster than nonzero in two dimensions.
        first, second = np.divmod(np.flatnonzero(alike >= COARSE), alike.shape[1])
        kept = (first < second) & (kinds[rows[start + first]] != kinds[rows[start + second]])
        first, second = first[kept], second[kept]
        if len(first) > LOOKED_AT:
            most = np.argpartition(-alike[first, second], LOOKED_AT)[:LOOKED_AT]
            first, second = first[most], second[most]
        one, other = rows[start + first], rows[start + second]
        same = _same(whole[one].astype(np.float32), whole[other].astype(np.float32))
        yield from zip(one[same].tolist(), other[same].tolist(), strict=True)


def _unit(values: np.ndarray) -> Float32[np.ndarray, "n f"]:
    """Rows without their mean, of length 1, so that products are correlations."""
    centred = (values - values.mean(axis=1, keepdims=True)).astype(np.float32)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6))


def _same(one: Float32[np.ndarray, "p f"], other: Float32[np.ndarray, "p f"]) -> Bool[np.ndarray, " p"]:
    near = np.abs(one - other).mean(axis=1) <= APART
    near[near] = (_unit(one[near]) * _unit(other[near])).sum(axis=1) >= ALIKE
    return np.asarray(near)


def _equal(digests: np.ndarray, kinds: Int64[np.ndarray, " n"]) -> Pairs:
    """Each image with the first of every other kind that has the same digest."""
    pairs: list[tuple[int, int]] = []
    order = np.lexsort((kinds, digests))
    starts = np.flatnonzero(np.append(True, digests[order][1:] != digests[order][:-1]))
    for group in np.split(order, starts[1:]):
        if len(group) > 1 and digests[group[0]]:
            firsts = group[np.unique(kinds[group], return_index=True)[1]].tolist()
            pairs += [
                (first, row) for first in firsts for row in group.tolist() if kinds[first] != kinds[row]
            ]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _leaks(observed: Observed, pairs: Pairs) -> Iterator[Finding]:
    names, places = _splits(observed)
    for late in range(1, len(names)):
        for early in range(late):
            crossing = np.sort(places[pairs], axis=1) == (early, late)
            rows = pairs[crossing.all(axis=1)]
            if len(rows):
                yield _leak(observed, names[early], names[late], np.unique(rows[places[rows] == late]))


def _leak(observed: Observed, early: str, late: str, rows: Int64[np.ndarray, " r"]) -> Finding:
    """`rows` of the later split have a twin in the earlier one."""
    names, places = _splits(observed)
    of_late = places == names.index(late)
    of_split = int(of_late.sum())
    share = rate(np.isin(np.arange(len(observed)), rows)[of_late], observed.units[of_late])
    return QUESTION.finding(
        "problem" if len(rows) > LEAK * of_split else "hint",
        f"{len(rows)} of {of_split} images of {late} are also in {early}, or nearly",
        evidence=(Evidence.of(f"share of {late} with a twin in {early}", share),),
        advice=f"Remove them from {late} and measure again: pictures that were learned are known by heart.",
        about={"split": late, "other split": early},
        samples=tuple(observed.ids[rows[:12]].tolist()),
    )


def _conflicts(observed: Observed, pairs: Pairs) -> Iterator[Finding]:
    rows = np.unique(pairs[observed.labels[pairs[:, 0]] != observed.labels[pairs[:, 1]]])
    if len(rows):
        share = rate(np.isin(np.arange(len(observed)), rows), observed.units)
        yield QUESTION.finding(
            "hint",
            f"{len(rows)} images show a picture that has another label elsewhere",
            evidence=(Evidence.of("share of images with a twin of another label", share),),
            advice="Look at them and mend or remove the wrong label; a classifier cannot be right on both.",
            samples=tuple(observed.ids[rows[:12]].tolist()),
        )


QUESTION = Question(code="MT013", title="Is the same picture in two splits, or under two labels?", ask=ask)
