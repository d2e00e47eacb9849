"""What came out of holding two scans against each other, as records."""

from dataclasses import dataclass
from typing import Literal

from masktune.findings.finding import Finding

Part = Literal["data", "split", "weights", "settings", "machine", "version"]
"""Where two runs can differ."""

TurnKind = Literal["came", "went", "changed"]

MovedKind = Literal["lost", "gained", "other"]


@dataclass(frozen=True, slots=True)
class Change:
    """One rate before and after, on the same images."""

    name: str
    before: float
    after: float
    n: int
    """Images that both runs have."""
    low: float
    """Lower end of the 95 % paired bootstrap interval of after - before; over subjects where known."""
    high: float
    p_value: float
    """Exact McNemar, or sign flips over subjects; Holm's correction over all changes."""
    more_is_better: bool

    @property
    def verdict(self) -> str:
        """better, worse, or no evidence: at 5 % after the correction."""
        if self.p_value >= 0.05 or self.after == self.before:
            return "no evidence"
        return "better" if (self.after > self.before) == self.more_is_better else "worse"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same in both runs, beside their numbers."""

    part: Part
    name: str
    before: str
    after: str
    """Both are empty where the name says how many images differ in it, and values would be too many."""

    @property
    def counted(self) -> bool:
        """Whether it says of how many images something is another."""
        return not (self.before or self.after)

    @property
    def sentence(self) -> str:
        """In words."""
        if self.before == self.after:  # The values may not be told.
            return f"{self.name} is another"
        return f"{self.name} was {self.before}, is {self.after}"


@dataclass(frozen=True, slots=True)
class Turn:
    """A finding that came, went, or has another verdict or value.

    It is the same finding where code, class, column, place and splits are. Its value is not asked for: the
    ends of a range move with one image more.
    """

    kind: TurnKind
    finding: Finding
    """The one that fires; where both runs have it, the new one."""
    other: Finding | None
    """What the other run says of the question, where that does not fire or is of the same thing."""
    was: str
    """Verdict of the old run; "not asked", or "not of this" where the question fired on something else."""
    now: str

    @property
    def sentence(self) -> str:
        """In words."""
        if self.kind == "changed" and self.was == self.now:
            return f"{self.finding.code} ({self.now}) is of {self._value}: {self.finding.reason}"
        if self.kind == "changed":
            return f"{self.finding.code} was {self.was}, is {self.now}: {self.finding.reason}"
        return f"{self.finding.code} ({self.finding.verdict}): {self.finding.reason}"

    @property
    def _value(self) -> str:
        """The new value beside the old one, where both may be told."""
        told = [one.about.get("value") for one in (self.other, self.finding) if one is not None]
        if None in told or len(told) < 2:
            return "another value"
        return f"{told[1]!r} instead of {told[0]!r}"


@dataclass(frozen=True, slots=True)
class Moved:
    """An image that gets another class now."""

    id: str
    label: str
    """Name of its true class, the new one."""
    before: str
    after: str
    sure_before: float
    """Probability of the class that was given, 0 to 1."""
    sure_after: float
    kind: MovedKind
    """Was right and is wrong; was wrong and is right; neither, or it cannot be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What came out of a comparison."""

    n: int
    """Images that both runs have."""
    only_before: int
    only_after: int
    relabelled: int
    """Images of both with another label now; the new one counts, for both runs."""
    differences: tuple[Difference, ...]
    """All that is recorded and differs, beside the numbers."""
    changes: tuple[Change, ...]
    turns: tuple[Turn, ...]
    """What came, then what went, then what has another verdict or value."""
    moved: tuple[Moved, ...]
    """Lost, then gained, then the others; by id."""

    def moved_ids(self, kind: MovedKind) -> tuple[str, ...]:
        """Ids of the images that were lost, or gained."""
        return tuple(one.id for one in self.moved if one.kind == kind)

    @property
    def new_problems(self) -> tuple[Turn, ...]:
        """What is a problem now and was none before."""
        return tuple(turn for turn in self.turns if turn.now == "problem" and turn.was != "problem")

    def turned(self, kind: TurnKind) -> tuple[Turn, ...]:
        """The findings that came, or went."""
        return tuple(turn for turn in self.turns if turn.kind == kind)
