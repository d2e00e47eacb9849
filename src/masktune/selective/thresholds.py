"""Which images to accept: those with a score of at least a threshold, which images of their own decide.

A rule is found on calibration images and holds for others of the same kind:
`TargetCoverage(0.9).found(scores, wrong)`. Only `GuaranteedRisk` and `JointError` promise anything of errors.
"""

from dataclasses import asdict, dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float64

from masktune.errors import CannotCertify, InputError
from masktune.selective.binomial import accepted_needed, check_share, upper_bound
from masktune.selective.certified import Method, Wanted, certify, open_curve, region
from masktune.selective.curve import curve
from masktune.selective.metrics import coverage_at_risk, risk_at_coverage, wanted
from masktune.types import Number

Scores = Float64[np.ndarray, " n"]
Wrong = Bool[np.ndarray, " n"]

ALL, NONE = -np.inf, np.inf
"""Thresholds that accept every image that is not rejected, and none."""


@dataclass(frozen=True, slots=True)
class Found:
    """A threshold, and what it did on the images that it was found on."""

    threshold: float
    """An image is accepted where its score is at least that."""
    n: int
    """Calibration images."""
    accepted: int
    """Of these."""
    wrong: int
    """Of the accepted."""
    promise: str
    """What can be said of other images, in a sentence."""
    certified: bool = False
    """Whether that is a guarantee of their risk."""
    bound: float | None = None
    """Of a guarantee: the upper bound of the risk, at most the one asked for."""
    coverage_low: float | None = None
    """Of a target coverage: where that of other images lies with a chance of 95 %."""
    coverage_high: float | None = None

    @property
    def coverage(self) -> float:
        """Share of the calibration images that is accepted."""
        return self.accepted / self.n if self.n else 0.0

    @property
    def risk(self) -> float | None:
        """Selective risk on the calibration images."""
        return self.wrong / self.accepted if self.accepted else None


def accepts(scores: Scores, threshold: float | Scores) -> Bool[np.ndarray, " n"]:
    """Where a threshold, or each image's own, accepts; rejected images never are."""
    return (scores >= threshold) & (scores > ALL)


@final
@dataclass(frozen=True, slots=True)
class TargetCoverage:
    """Accept that share of the images: the k-th largest score, k = coverage x n rounded up; 1 accepts all.

    Raises:
        InputError: no coverage above 0 and up to 1.
    """

    coverage: Number = 0.9

    def __post_init__(self) -> None:
        if not 0 < self.coverage <= 1:
            raise InputError(f"expected a coverage above 0 and up to 1, got {self.coverage}")

    @property
    def target(self) -> Number:
        """The coverage."""
        return self.coverage

    def found(self, scores: Scores, wrong: Wrong) -> Found:
        """The threshold.

        Raises:
            InputError: no images, or so many are rejected that the coverage is out of reach.
        """
        n, open_ = len(scores), int((scores > ALL).sum())
        if wanted(self.coverage, n) > open_:
            raise InputError(
                f"a coverage of {self.coverage:g} cannot be reached: the two classifiers agree on {open_} "
                f"of {n} images ({open_ / max(n, 1):.3f}), and the others are rejected; ask for less, or "
                "rank them last"
            )
        point = risk_at_coverage(curve(scores, wrong), self.coverage)
        threshold = ALL if self.coverage == 1 else point.threshold
        low, high = (1.0, 1.0) if self.coverage == 1 else coverage_spread(point.accepted, n)
        return Found(
            threshold,
            n,
            point.accepted,
            point.wrong,
            f"about {self.coverage:.0%} of other images are accepted ({low:.1%} to {high:.1%}); nothing is "
            "promised of their errors",
            coverage_low=low,
            coverage_high=high,
        )


@final
@dataclass(frozen=True, slots=True)
class EmpiricalRisk:
    """The largest coverage whose risk on the calibration images is at most that: no guarantee.

    On other images the risk is larger about every second time.

    Raises:
        InputError: no risk from 0 up to below 1.
    """

    risk: Number = 0.05

    def __post_init__(self) -> None:
        if not 0 <= self.risk < 1:
            raise InputError(f"expected a risk from 0 up to below 1, got {self.risk}")

    @property
    def target(self) -> Number:
        """The risk."""
        return self.risk

    def found(self, scores: Scores, wrong: Wrong) -> Found:
        """The threshold; it accepts nothing where no coverage has so small a risk."""
        found = open_curve(scores, wrong)
        if found is None:
            return Found(NONE, len(scores), 0, 0, "all images are rejected")
        point = coverage_at_risk(found, self.risk)
        promise = (
            f"no guarantee: on calibration images the risk is at most {self.risk:g}; on others it is larger "
            "about every second time"
        )
        return Found(point.threshold, len(scores), point.accepted, point.wrong, promise)


@final
@dataclass(frozen=True, slots=True)
class GuaranteedRisk:
    """With a chance of 1 - delta (over the calibration images), the risk of other images is at most that.

    The images must be unread: neither weights, nor checkpoint, nor score were chosen by them.

    Raises:
        InputError: a number out of its range.
    """

    risk: Number = 0.05
    """Above 0 and below 1."""
    delta: Number = 0.05
    """Chance that the promise fails."""
    method: Method = "fixed_sequence"
    """`fixed_sequence` tests coverages from strict to loose (Angelopoulos et al. 2021, LTT); `sgr` searches
    (Geifman and El-Yaniv 2017, with whole counts); `bonferroni` tests them all."""
    grid: int = 20
    """Coverages that are tested: 1 / grid, 2 / grid, ... 1; told before any label is looked at."""
    starts: int = 1
    """Places of the grid where a sequence of tests starts, each with delta / starts: several survive that the
    surest images are the worst."""

    def __post_init__(self) -> None:
        check_share("risk", self.risk)
        check_share("delta", self.delta)
        if self.grid < 1 or not 1 <= self.starts <= self.grid:
            raise InputError(f"expected 1 to {self.grid} starts on a grid of at least 1, got {self.starts}")

    @property
    def target(self) -> Number:
        """The risk."""
        return self.risk

    def found(self, scores: Scores, wrong: Wrong) -> Found:
        """The threshold.

        Raises:
            CannotCertify: these images cannot certify so small a risk; says how many it takes.
        """
        found = certify(Wanted(**asdict(self)), scores, wrong)
        if found is None:
            raise CannotCertify(_too_few(self, scores, wrong))
        bound = upper_bound(found.wrong, found.accepted, found.delta)
        promise = (
            f"with a chance of {1 - self.delta:.4g} over the calibration images, at most {self.risk:.2%} of "
            "other accepted images are wrong, on average, if these are of the same kind"
        )
        return Found(
            found.threshold, len(scores), found.accepted, found.wrong, promise, True, min(bound, self.risk)
        )


def _too_few(rule: GuaranteedRisk, scores: Scores, wrong: Wrong) -> str:
    n, open_ = len(scores), int((scores > ALL).sum())
    best = coverage_at_risk(curve(scores, wrong), rule.risk)
    needs = [accepted_needed(count, rule.risk, rule.delta) for count in (0, 1, 5)]
    which = (
        f"at best {best.accepted} accepted images have so small a share of wrong ones ({best.wrong})"
        if best.accepted
        else "no threshold has so small a share of wrong ones"
    )
    return (
        f"a risk of {rule.risk:g} cannot be certified with a chance of {1 - rule.delta:g} by {n} "
        f"calibration images{'' if open_ == n else f', {n - open_} of them rejected'}: {which}, and it "
        f"takes {needs[0]} accepted ones without a wrong one, {needs[1]} with one, {needs[2]} with five; "
        "reserve more images, or ask for a larger risk"
    )


@final
@dataclass(frozen=True, slots=True)
class JointError:
    """On average over calibration sets, at most that share of all images is accepted and wrong.

    Conformal risk control (Angelopoulos et al. 2022): the loosest threshold with (wrong + 1) / (n + 1) at
    most alpha. It bounds generalised risk, not selective risk, and its mean, not its chance.

    Raises:
        InputError: alpha is not between 0 and 1.
    """

    alpha: Number = 0.05

    def __post_init__(self) -> None:
        check_share("joint error", self.alpha)

    @property
    def target(self) -> Number:
        """The joint error."""
        return self.alpha

    def found(self, scores: Scores, wrong: Wrong) -> Found:
        """The threshold.

        Raises:
            CannotCertify: fewer images than any threshold needs.
        """
        n = len(scores)
        allowed = np.floor(self.alpha * (n + 1) - 1 + 1e-9)
        if allowed < 0:
            raise CannotCertify(
                f"a joint error of {self.alpha:g} takes {int(np.ceil(1 / self.alpha - 1 - 1e-9))} "
                f"calibration images or more, got {n}; reserve more, or ask for a larger one"
            )
        found = open_curve(scores, wrong)
        if found is None:
            return Found(NONE, n, 0, 0, "all images are rejected", True)
        taken = region(found, int(np.searchsorted(found.wrong, allowed, side="right")))
        promise = (
            f"on average at most {self.alpha:.2%} of all other images are accepted and wrong, if they are "
            "of the same kind; of those that are accepted a larger share may be"
        )
        return Found(taken.threshold, n, taken.accepted, taken.wrong, promise, True)


def coverage_spread(k: int, n: int) -> tuple[float, float]:
    """95 % interval of the true coverage of the k-th largest of n scores: Beta(k, n + 1 - k)."""
    from scipy.stats import beta

    low, high = beta.ppf((0.025, 0.975), k, n + 1 - k)
    return float(low), float(high)


Rule = TargetCoverage | EmpiricalRisk | GuaranteedRisk | JointError
"""How a threshold is found."""
