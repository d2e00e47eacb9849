"""A finding: one question about a classifier and its images, and the answer with its numbers."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float64, Shaped

from masktune.errors import InputError
from masktune.evaluation import Rate, bootstrap_interval
from masktune.findings.observed import Observed
from masktune.types import check_choice

Verdict = Literal["problem", "hint", "passed", "not_applicable"]
"""A problem wants something done; a hint wants a look; not applicable says what was missing."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One number behind a finding."""

    name: str
    """What was measured: "flip rate, salient area hidden"."""
    value: float | None
    """None where undefined."""
    n: int
    """Images (or subjects, where the name says so) that it was counted on."""
    low: float | None = None
    """Lower end of the 95 % interval."""
    high: float | None = None
    """Upper end."""
    p_value: float | None = None
    """Corrected for how many were tried, where it was one of many."""

    @classmethod
    def of(cls, name: str, rate: Rate) -> "Evidence":
        """The evidence of a rate with its interval."""
        return cls(name, rate.value, rate.n, rate.low, rate.high)

    @classmethod
    def mean(
        cls, name: str, values: Float64[np.ndarray, " m"], subjects: Shaped[np.ndarray, " m"] | None
    ) -> "Evidence":
        """The mean of numbers, one an image; a bootstrap interval over images or, where known, subjects."""
        low, high = bootstrap_interval(values, subjects)
        return cls(name, float(values.mean()), len(values), low, high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An answer, as data: the terminal and the page are two views of it.

    A code is never reused; it has a page `docs/findings/<code>.md` and a file of tests.
    """

    code: str
    """ "MT001": which question."""
    title: str
    """The question in words, the same for every data set."""
    verdict: Verdict
    """What came out."""
    reason: str
    """One sentence; where it is not applicable, what was missing."""
    evidence: tuple[Evidence, ...] = ()
    """The numbers behind the sentence."""
    advice: str = ""
    """What to do next; empty where nothing is to be done."""
    about: Mapping[str, str] = field(default_factory=dict)
    """What it points at, by kind: `class`, `place`, `column`, `value`."""
    samples: tuple[str, ...] = ()
    """Ids of images that show it, the clearest first."""

    def __post_init__(self) -> None:
        check_choice("verdict", self.verdict, get_args(Verdict))
        if not self.reason:
            raise InputError(f"expected a reason for the verdict of {self.code}, got none")

    @property
    def page(self) -> str:
        """Where it is explained, relative to the documents' root."""
        return f"findings/{self.code}.md"

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self) | {"about": dict(self.about)}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "Finding":
        """What `to_json` gave."""
        evidence = tuple(Evidence(**one) for one in entry["evidence"])
        return cls(**{**entry, "evidence": evidence, "samples": tuple(entry["samples"])})


Ask = Callable[[Observed], Iterable[Finding]]
"""Looks at what was observed; one finding for each thing that it points at, at least one in all."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a module of this room asks."""

    code: str
    title: str
    ask: Ask
    """Gives one finding or several, all of this code; never none."""

    def finding(self, verdict: Verdict, reason: str, **more: Any) -> Finding:
        """A finding of this code."""
        return Finding(code=self.code, title=self.title, verdict=verdict, reason=reason, **more)
