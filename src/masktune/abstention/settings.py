"""What is asked of a selection, as plain data that checks itself."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, final

from masktune.errors import InputError
from masktune.selective import GuaranteedRisk, Score, TargetCoverage

COVERAGES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7)
"""What papers on selective classification show."""

SCORES = ("product", "mean", "agree_product")
"""Of two classifiers, if nothing is asked for; the first is what stands in the headline."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SelectSettings:
    """What is asked, and the options of the command: of `int | float` that would take int, so all are floats.

    Raises:
        InputError: a number out of its range, a score that does not exist, the same split twice.
    """

    calibrate: str
    """The split whose images decide from which score on an answer is given."""
    test: str
    """The split that this is judged on."""
    coverage: tuple[float, ...] = COVERAGES
    """Shares of the images to be answered."""
    risk: tuple[float, ...] = ()
    """Selective risks that are to be guaranteed."""
    delta: float = 0.05
    """Chance that a guarantee fails."""
    method: Literal["fixed_sequence", "sgr", "bonferroni"] = "fixed_sequence"
    """How a guarantee is found."""
    starts: int = 1
    """Of the fixed sequence: more than one survives that the surest images are the worst."""
    empirical: bool = False
    """Instead of a guarantee take the largest coverage with so small a risk on the calibration images."""
    methods: tuple[str, ...] = ()
    """Further methods of a run to score alone; ERM, MaskTune and its controls always are."""
    scores: tuple[str, ...] = SCORES
    """Of two classifiers (docs/select.md); each alone is scored by sr."""
    on_disagree: Literal["reject", "rank_last"] = "rank_last"
    """Of scores that ask for agreement: whether disagreeing images can be answered at all."""
    per_class: bool = False
    """A threshold for each predicted class."""
    cost_fp: float | None = None
    """Of two classes: what it costs to say the second where the first is true."""
    cost_fn: float | None = None
    """And what it costs to say the first where the second is true."""
    temperature: str | None = None
    """A split of its own to fit a temperature of each classifier on; without it logits stay as they are."""
    draws: int = 500
    """Bootstrap draws behind the intervals of areas."""
    seed: int = 0
    """Of what is drawn."""

    def __post_init__(self) -> None:
        if self.calibrate == self.test:
            raise InputError(
                f"expected two different splits, got {self.test!r} to calibrate on and to test on: a "
                "threshold looks better on the images that it was found on"
            )
        if self.temperature in (self.calibrate, self.test):
            raise InputError(
                f"expected a split of its own for the temperature, got {self.temperature!r}, which is read "
                "otherwise"
            )
        for name in ("coverage", "risk", "scores", "methods"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise InputError(f"expected each --{name} once, got {' '.join(map(str, values))}")
        for coverage in self.coverage:
            TargetCoverage(coverage)
        for risk in self.risk:
            GuaranteedRisk(risk, self.delta, self.method, starts=self.starts)
        for name in self.scores:
            if Score(name).kind.models != 2:
                raise InputError(
                    f"expected scores of two classifiers, got {name}; each alone is scored by sr anyway"
                )
        self._check_costs()
        if self.draws < 100:
            raise InputError(f"expected at least 100 bootstrap draws, got {self.draws}")

    def _check_costs(self) -> None:
        costs = (self.cost_fp, self.cost_fn)
        if (costs[0] is None) != (costs[1] is None):
            raise InputError("expected both costs, --cost-fp and --cost-fn, or none; got one")
        if any(cost is not None and not cost > 0 for cost in costs):
            raise InputError(f"expected costs above 0, got {costs[0]} and {costs[1]}")

    @property
    def costs(self) -> tuple[float, float] | None:
        """Of a false positive and of a false negative; None where all mistakes are alike."""
        if self.cost_fp is None or self.cost_fn is None:
            return None
        return float(self.cost_fp), float(self.cost_fn)

    def to_record(self) -> dict[str, Any]:
        """All that the numbers depend on."""
        return asdict(self)
