"""Each score of MaskTune against every other arm, on the same images drawn again together, by subject."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from masktune.evaluation import holm, wilson
from masktune.evaluation.resampling import percentiles
from masktune.seeds import seed_of
from masktune.trial.scores import Score, ScoreName
from masktune.trial.settings import ArmName

REPEATS = 2000
"""Draws behind the intervals and p-values."""

SURE = 0.05
"""P-value below which a gain (corrected for the number of scores) or a loss is taken for one."""

_AT_ONCE = 1_000_000
"""Numbers drawn at once: 8 MB, twenty draws of 50,000 units."""


@dataclass(frozen=True, slots=True)
class Gain:
    """What MaskTune's score is above another arm's."""

    over: ArmName
    value: float
    """Difference, -1 to 1; more is better."""
    low: float
    """Lower end of the 95 % paired bootstrap interval; where no draw differs, Wilson's for none of so many
    units is laid around the value."""
    high: float
    """Upper end."""
    p_value: float
    """Two-sided; the larger of the bootstrap's and of one that flips signs."""


@dataclass(frozen=True, slots=True)
class ArmScore:
    """One arm's score with its interval."""

    value: float
    low: float
    high: float
    cell: str
    """Name of its worst cell."""
    n: int
    """Images of that cell."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One score of all arms."""

    name: ScoreName
    equal_shares: bool
    n: int
    """Images that count."""
    least: int
    """Images of the smallest cell."""
    arms: Mapping[ArmName, ArmScore]
    """Every arm's score."""
    gains: tuple[Gain, ...]
    """Over every other arm."""
    corrected: float = 1.0
    """The largest p-value over the other arms, corrected for the number of scores (Holm)."""

    @property
    def over_control(self) -> Gain:
        """The gain over the best control: that over which it is smallest."""
        return min(self.controls, key=lambda gain: gain.value)

    @property
    def controls(self) -> tuple[Gain, ...]:
        """The gains over the controls; over the untouched classifier where no control was run."""
        return tuple(one for one in self.gains if one.over != "untouched") or self.gains

    @property
    def over_best(self) -> Gain:
        """The gain over the best other arm, the untouched classifier included."""
        return min(self.gains, key=lambda gain: gain.value)

    @property
    def lowest(self) -> float:
        """The lowest end of the intervals over the other arms."""
        return min(one.low for one in self.gains)

    @property
    def over_untouched(self) -> Gain:
        """The gain over the classifier as it was."""
        return next(one for one in self.gains if one.over == "untouched")

    @property
    def p_value(self) -> float:
        """Of being better than, or worse than, all other arms alike: the largest of their p-values."""
        return max(one.p_value for one in self.gains)


def judged(scores: Sequence[Score], units: Int64[np.ndarray, " n"], seed: int = 0) -> list[Judged]:
    """Compare MaskTune with every other arm by every score.

    Whole subjects are drawn, so that several images of one widen the intervals as they should; so are the
    donors that a swap used several times (`Said.swap_units`). The draws are the same for all scores and arms.
    A cell that is missing in a draw is left out of it.

    The bootstrap's p-value is too small for few images: five of five gained are certain to be drawn as gains,
    and of probabilities of six images that differ by chance alone one in six was below 0.05. So the two arms
    also change sides by chance, unit by unit, as if they were alike (`sign_flip`, for the worst cell), and
    the larger p-value counts. This one alone would not do either: arms that are equally good in their worst
    class but not in the same one are not alike, and one in ten was below 0.05.

    Args:
        scores: of the same images.
        units: the subject's number of each image, from 0; a score may have others of the same subjects.
        seed: of the draws.
    """
    tables = [_Table.of(score, units) for score in scores]
    number = int(units.max()) + 1
    drawn = _joined([table.worst(counts) for table in tables] for counts in _counts(number, seed))
    flipped = _joined([table.flipped(signs) for table in tables] for signs in _signs(number, seed))
    return _corrected([_judge(*of) for of in zip(tables, drawn, flipped, strict=True)])


def _joined(parts: Iterable[list[Float64[np.ndarray, "a _"]]]) -> list[Float64[np.ndarray, "a r"]]:
    """For each score the draws of all parts beside each other."""
    return [np.concatenate(found, axis=1) for found in zip(*parts, strict=True)]


def _counts(units: int, seed: int) -> Iterator[Float64[np.ndarray, "u b"]]:
    """How often each unit is drawn when as many are drawn with replacement; some draws at a time."""
    random = np.random.default_rng(seed_of("drawn again", seed))
    for number in _numbers(units):
        chosen = random.integers(units, size=(units, number)) * number + np.arange(number)
        yield np.bincount(chosen.reshape(-1), minlength=units * number).reshape(units, number).astype(float)


def _signs(units: int, seed: int) -> Iterator[Float64[np.ndarray, "u b"]]:
    """-1 where a unit's two arms change sides, else 1; some draws at a time."""
    random = np.random.default_rng(seed_of("flipped", seed))
    for number in _numbers(units):
        yield 2.0 * random.integers(2, size=(units, number), dtype=np.int8) - 1.0


def _numbers(units: int) -> list[int]:
    """Draws of each time; they sum to `REPEATS`."""
    most = max(1, _AT_ONCE // units)
    return [min(most, REPEATS - start) for start in range(0, REPEATS, most)]


@dataclass(frozen=True, slots=True, eq=False)
class _Cell:
    """A cell's images summed over their units: what a draw of units needs."""

    name: str
    units: Int64[np.ndarray, " own"]
    """Those with an image in it."""
    images: Float64[np.ndarray, " own"]
    """How many."""
    sums: Float64[np.ndarray, "a own"]
    """Each arm's sum of their values."""

    @classmethod
    def of(cls, score: Score, cell: int, units: Int64[np.ndarray, " n"]) -> "_Cell":
        used = np.flatnonzero(score.cells == cell)
        own, places = np.unique(units[used], return_inverse=True)
        sums = [np.bincount(places, values[used]) for values in score.values.values()]
        return cls(score.names[cell], own, np.bincount(places).astype(float), np.stack(sums))

    def means(self, counts: Float64[np.ndarray, "u b"]) -> Float64[np.ndarray, "a b"]:
        """Each arm's mean in each draw; NaN where a draw has no image of the cell."""
        own = counts[self.units]
        with np.errstate(invalid="ignore"):
            return np.asarray((self.sums @ own) / (self.images @ own))

    def flipped(
        self, signs: Float64[np.ndarray, "u b"], ours: int
    ) -> tuple[Float64[np.ndarray, "a b"], Float64[np.ndarray, "a b"]]:
        """Means of MaskTune and of each arm after the two have changed sides in the units of sign -1."""
        both = (self.sums[ours] + self.sums).sum(1, keepdims=True)
        apart = (self.sums[ours] - self.sums) @ signs[self.units]
        images = 2 * self.images.sum()
        return (both + apart) / images, (both - apart) / images


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """A score's cells that have images."""

    score: Score
    cells: list[_Cell]

    @classmethod
    def of(cls, score: Score, units: Int64[np.ndarray, " n"]) -> "_Table":
        present = np.unique(score.cells[score.cells >= 0])
        units = units if score.units is None else score.units
        return cls(score, [_Cell.of(score, cell, units) for cell in present.tolist()])

    @property
    def arms(self) -> list[ArmName]:
        return list(self.score.values)

    @property
    def ours(self) -> int:
        return self.arms.index("masktune")

    @property
    def observed(self) -> Float64[np.ndarray, "c a"]:
        """Each arm's mean in each cell."""
        return np.stack([cell.sums.sum(1) / cell.images.sum() for cell in self.cells])

    def worst(self, counts: Float64[np.ndarray, "u b"]) -> Float64[np.ndarray, "a b"]:
        """Each arm's worst cell in each draw; NaN where a draw has no image of any."""
        return np.asarray(np.fmin.reduce([cell.means(counts) for cell in self.cells]))

    def flipped(self, signs: Float64[np.ndarray, "u b"]) -> Float64[np.ndarray, "a b"]:
        """What MaskTune's score is above each arm's after they have changed sides so."""
        means = [cell.flipped(signs, self.ours) for cell in self.cells]
        above, below = (np.minimum.reduce(of) for of in zip(*means, strict=True))
        return np.asarray(above - below)


def _judge(table: _Table, drawn: Float64[np.ndarray, "a r"], flipped: Float64[np.ndarray, "a r"]) -> Judged:
    worst, cells = table.observed.min(0), table.observed.argmin(0).tolist()
    ours = table.ours
    arms, gains = {}, []
    for at, arm in enumerate(table.arms):
        cell = table.cells[cells[at]]
        arms[arm] = ArmScore(
            float(worst[at]), *_ends(float(worst[at]), drawn[at], cell), cell.name, int(cell.images.sum())
        )
        if at != ours:
            value = float(worst[ours] - worst[at])
            units = min(len(table.cells[cells[one]].units) for one in (at, ours))
            gains.append(_gain(arm, value, drawn[ours] - drawn[at], flipped[at], units))
    images = [int(cell.images.sum()) for cell in table.cells]
    score = table.score
    return Judged(score.name, score.equal_shares, sum(images), min(images), arms, tuple(gains))


def _ends(value: float, drawn: Float64[np.ndarray, " r"], cell: _Cell) -> tuple[float, float]:
    """An arm's interval; where no draw differs, Wilson's on the units of its worst cell."""
    low, high = percentiles(drawn)
    if low < high:
        return low, high
    units = len(cell.units)
    rate = wilson(min(value * units, units), units)
    return rate.low or 0.0, 1.0 if rate.high is None else rate.high


def _gain(
    over: ArmName,
    value: float,
    drawn: Float64[np.ndarray, " r"],
    flipped: Float64[np.ndarray, " r"],
    units: int,
) -> Gain:
    tail = min(np.count_nonzero(drawn <= 0), np.count_nonzero(drawn >= 0))
    as_large = np.count_nonzero(np.abs(flipped) > abs(value) - 1e-9)
    # What was seen is one draw more, so that no p-value is 0.
    p_value = max(2 * (tail + 1), as_large + 1) / (len(drawn) + 1)
    low, high = percentiles(drawn)
    if low == high:  # Of so few units one that differs may just not have been among them.
        unseen = wilson(0, units).high or 0.0
        low, high = max(-1.0, value - unseen), min(1.0, value + unseen)
    return Gain(over, value, low, high, min(1.0, float(p_value)))


def _corrected(found: Sequence[Judged]) -> list[Judged]:
    """With p-values corrected for the number of scores; those at equal shares confirm and do not add."""
    first = [one for one in found if not one.equal_shares]
    values = dict(zip([one.name for one in first], holm([one.p_value for one in first]), strict=True))
    return [replace(one, corrected=one.p_value if one.equal_shares else values[one.name]) for one in found]
