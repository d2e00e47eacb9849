"""The verdict of a trial, by a rule that was written down before it was judged (`docs/results/verdict.md`).

`helped` wants all of this. With the place where a classifier looks swapped for one of another class (the
score `swapped`) the tuned one is right more often than the old one and every control, clearly and by 15
points at least, also when each arm's answers have the classes' true shares; it is right on at least half of
each class there; it gains more there than any class loses; there are judged images whose own place speaks
for another class, of which it has some right, and no fewer than any other arm; and no class has so few judged
images that nothing can be said of it. `harmful` is a class, or all images together, clearly worse than before
without such a gain, or a tuning that was given up. All else is `no_evidence`, with the reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool

from masktune.trial.judging import SURE, Judged, judged
from masktune.trial.losses import Loss, largest_loss
from masktune.trial.said import Said
from masktune.trial.scores import LEAST, ScoreName, scores_of
from masktune.trial.settings import ArmName

Word = Literal["helped", "no_evidence", "harmful"]

Why = Literal[
    "gain",
    "no_effect",
    "threshold_shift",
    "too_few",
    "cannot_be_known",
    "not_confirmed",
    "worse",
    "collapsed",
]
"""The reason in a word."""

LEAST_GAIN = 0.15
"""Gain in `swapped` over every other arm. A swap changes all images, so it moves more than a group of
them does: five points in the worst group went with some fifteen here (`docs/results/verdict.md`)."""

MUCH = 0.05
"""Change of a class, on the images as they are, that matters."""

LEVEL = 0.5
"""Share of each class that must be right with the place swapped; below it answers follow the place."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came out, and why."""

    word: Word
    why: Why
    reason: str
    """One sentence for a person, without its full stop."""
    scores: tuple[Judged, ...] = ()
    """Every score of every arm, those at equal class shares last."""
    conflicting: int = 0
    """Judged images whose place speaks for another class than their own."""
    right_on_conflicting: Mapping[ArmName, int] = field(default_factory=dict)
    """How many of them each arm has right, as they are."""
    notes: tuple[str, ...] = ()
    """What a person should know beside it: would it flip at another rate, what was given up."""


def verdict_of(said: Said, *, cap: str | None = None, stopped: str | None = None, seed: int = 0) -> Verdict:
    """Judge MaskTune by what all arms said.

    Args:
        said: of all arms, `masktune` among them.
        cap: why nothing can be concluded, such as weights whose training images are not known.
        stopped: why the tuning was given up.
        seed: of the bootstrap.
    """
    scores = tuple(judged(scores_of(said), said.units, seed))
    at_stake = conflicting(said)
    right = {arm: int((said.plain[arm].argmax(1) == said.labels)[at_stake].sum()) for arm in said.arms}
    found = _by_rule(
        _Found(scores, int(at_stake.sum()), right, largest_loss(said, scores, seed), _rare(said)), stopped
    )
    if cap is not None and found.word != "harmful":
        found = replace(found, word="no_evidence", why="cannot_be_known", reason=cap)
    return replace(found, scores=scores, conflicting=int(at_stake.sum()), right_on_conflicting=right)


def conflicting(said: Said) -> Bool[np.ndarray, " n"]:
    """Judged images whose place speaks for another class than their own, as far as that can be seen.

    Laid on another image of the same class that the untouched classifier has right, the place of such an
    image takes the answer along. An estimate from below: a place that is nothing without the rest is missed.
    """
    right = said.plain["untouched"].argmax(1) == said.labels
    misled = said.changed["untouched"]["same_class"].argmax(1) != said.labels
    found = np.zeros(len(said), dtype=bool)
    found[said.donors.same_class[right & misled]] = True
    return found


def _rare(said: Said) -> tuple[str, int] | None:
    """A class of so few judged images that no score counts them, and how many they are."""
    counts = np.bincount(said.labels, minlength=len(said.classes))
    few = np.flatnonzero((counts > 0) & (counts < LEAST))
    return (said.classes[few[0]], int(counts[few[0]])) if len(few) else None


@dataclass(frozen=True, slots=True)
class _Found:
    """What the rule looks at."""

    scores: Sequence[Judged]
    conflicting: int
    right_on_conflicting: Mapping[ArmName, int]
    loss: Loss | None
    rare: tuple[str, int] | None

    def score(self, name: ScoreName, *, equal_shares: bool = False) -> Judged:
        return next(one for one in self.scores if one.name == name and one.equal_shares == equal_shares)

    @property
    def gained(self) -> bool:
        """Whether answers follow the place less than those of every other arm, and by enough."""
        found = self.score("swapped")
        return found.over_best.value >= LEAST_GAIN and found.corrected < SURE and found.lowest > 0

    @property
    def gained_at_equal_shares(self) -> bool:
        found = self.score("swapped", equal_shares=True)
        return found.over_best.value >= LEAST_GAIN and found.lowest > 0

    @property
    def holds(self) -> bool:
        """Whether its answers go with the rest of an image rather than with the place."""
        return self.score("swapped").arms["masktune"].value >= LEVEL

    @property
    def confirmed(self) -> bool:
        """Whether real images whose place misleads bear it out."""
        right = self.right_on_conflicting
        return right["masktune"] > 0 and all(right["masktune"] >= n for n in right.values())

    @property
    def lost(self) -> float:
        """What a class lost on the images as they are; 0 where that may be chance."""
        return 0.0 if self.loss is None else self.loss.value


def _by_rule(found: _Found, stopped: str | None) -> Verdict:
    if stopped is not None:
        return Verdict("harmful", "collapsed", f"tuning was given up, since {stopped}")
    gain = found.score("swapped").over_best.value
    clear = found.gained and found.gained_at_equal_shares and found.holds and found.lost < gain
    if clear and found.rare is None:
        if found.conflicting == 0:
            return Verdict("no_evidence", "cannot_be_known", _no_conflict_in_words(found))
        if found.confirmed:
            return Verdict("helped", "gain", _gain_in_words(found))
    if found.loss is not None and found.lost >= MUCH:
        return Verdict("harmful", "worse", _loss_in_words(found.loss))
    if clear and found.rare is not None:
        return Verdict("no_evidence", "too_few", _rare_in_words(found, found.rare))
    if clear:
        return Verdict("no_evidence", "not_confirmed", _not_confirmed_in_words(found))
    return _without_a_clear_gain(found)


def _without_a_clear_gain(found: _Found) -> Verdict:
    if found.gained and found.gained_at_equal_shares and not found.holds:
        return Verdict("no_evidence", "no_effect", _still_follows_in_words(found))
    if found.gained or _shifted(found):
        return Verdict("no_evidence", "threshold_shift", _shift_in_words(found))
    swapped = found.score("swapped")
    if swapped.corrected >= SURE and swapped.over_best.high >= LEAST_GAIN:
        return Verdict("no_evidence", "too_few", _too_few_in_words(found))
    return Verdict("no_evidence", "no_effect", _no_effect_in_words(found))


def _no_conflict_in_words(found: _Found) -> str:
    gain = found.score("swapped").over_best
    return (
        f"the tuned model follows the place less ({_points(gain.value)} over {_ARMS[gain.over]} with it "
        "swapped), but no judged image has a place that speaks for another class than its own, so whether "
        "that helps cannot be known; add images on which the shortcut is wrong"
    )


def _shifted(found: _Found) -> bool:
    """Whether a gain that would be large enough is none at equal class shares."""
    swapped, alike = found.score("swapped").over_best, found.score("swapped", equal_shares=True).over_best
    if swapped.value >= LEAST_GAIN and swapped.low > 0 and alike.value < MUCH:
        return True
    as_it_is = found.score("worst_class")
    equal = found.score("worst_class", equal_shares=True)
    clear = as_it_is.over_best.value >= MUCH and as_it_is.corrected < SURE
    return clear and not (equal.over_best.value >= MUCH and equal.lowest > 0)


def _shift_in_words(found: _Found) -> str:
    by_swap = found.score("swapped").over_best.value >= LEAST_GAIN
    name: ScoreName = "swapped" if by_swap else "worst_class"
    gain, equal = found.score(name).over_best, found.score(name, equal_shares=True).over_best
    place = " with the place swapped" if by_swap else ""
    return (
        f"the decision threshold moved, and moving it by hand costs nothing: its worst class{place} gained "
        f"{_points(gain.value)} over {_ARMS[gain.over]}, but {_points(equal.value)} "
        f"{_range(equal.low, equal.high)} over {_ARMS[equal.over]} when every model gives each class as "
        "often as it is true"
    )


def _gain_in_words(found: _Found) -> str:
    score = found.score("swapped")
    gain, ours = score.over_best, score.arms["masktune"]
    lost = found.lost
    price = f"; {found.loss.label} lost {_points(lost)} on the images as they are" if found.loss else ""
    right = found.right_on_conflicting
    return (
        f"{_WITH_IT_SWAPPED} the tuned model is right on {_percent(ours.value)} of its worst class, "
        f"{_points(gain.value)} {_range(gain.low, gain.high)} more than {_ARMS[gain.over]}; of the "
        f"{found.conflicting} judged images whose own place speaks for another class it has "
        f"{right['masktune']} right, the old model {right['untouched']}{price}"
    )


def _loss_in_words(loss: Loss) -> str:
    return (
        f"the tuned model is right on {_percent(loss.after)} of {loss.label}, {_points(loss.value)} "
        f"{_range(loss.low, loss.high)} less than before, and nothing outweighs that"
    )


def _rare_in_words(found: _Found, rare: tuple[str, int]) -> str:
    gain = found.score("swapped").over_best
    return (
        f"too few images of {rare[0]}: with {rare[1]} judged ({LEAST} are the least) what becomes of it "
        f"cannot be told, whatever the others gain ({_points(gain.value)} over {_ARMS[gain.over]} with the "
        "place swapped)"
    )


def _not_confirmed_in_words(found: _Found) -> str:
    right = found.right_on_conflicting
    other = max((arm for arm in right if arm != "masktune"), key=lambda arm: right[arm])
    return (
        f"the tuned model follows the place less, but of the {found.conflicting} judged images whose own "
        f"place speaks for another class it has {right['masktune']} right and {_ARMS[other]} {right[other]}"
    )


def _still_follows_in_words(found: _Found) -> str:
    score = found.score("swapped")
    return (
        f"its answers still follow a place: {_WITH_IT_SWAPPED} the tuned model is right on "
        f"{_percent(score.arms['masktune'].value)} of its worst class, though that is "
        f"{_points(score.over_best.value)} more than {_ARMS[score.over_best.over]}"
    )


def _too_few_in_words(found: _Found) -> str:
    score = found.score("swapped")
    gain = score.over_best
    return (
        f"too few images: with {score.least} in the smallest class, what is right with the place swapped "
        f"changed by {_points(gain.value)} {_range(gain.low, gain.high)} against {_ARMS[gain.over]}, which "
        f"may be chance (p {score.corrected:.2g}, corrected)"
    )


def _no_effect_in_words(found: _Found) -> str:
    gain = found.score("swapped").over_best
    return (
        f"no effect that {'counts' if gain.value > 0 else 'helps'}: {_WITH_IT_SWAPPED} the tuned model's "
        f"gain over {_ARMS[gain.over]} is {_points(gain.value)} {_range(gain.low, gain.high)}; "
        f"{100 * LEAST_GAIN:.0f} are wanted"
    )


_ARMS: Mapping[ArmName, str] = {
    "untouched": "the old model",
    "continue_erm": "the best control (one more ordinary epoch)",
    "random_mask": "the best control (random masks)",
    "least_salient_mask": "the best control (the least salient area hidden)",
    "masktune": "MaskTune",
}


_WITH_IT_SWAPPED = "with the place it looks at swapped for that of another class,"


def _range(low: float, high: float) -> str:
    """An interval, in points."""
    return f"({_points(low).removesuffix(' points')} to {_points(high).removesuffix(' points')})"


def _points(value: float) -> str:
    return f"{round(100 * value, 1) + 0.0:.1f} points"  # No "-0.0".


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"
